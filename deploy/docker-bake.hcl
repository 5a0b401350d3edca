# Images for a registry: two architectures, with SBOM and provenance.
#
#     docker buildx bake --file deploy/docker-bake.hcl --push
#
# REGISTRY, VERSION, REVISION and PYTHON_IMAGE come from the environment. Pin the base for a
# release: PYTHON_IMAGE=python:3.13-slim-trixie@sha256:...

variable "REGISTRY" { default = "" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "unknown" }
variable "PYTHON_IMAGE" { default = "python:3.13-slim-trixie" }

group "default" {
  targets = ["echo", "api"]
}

target "image" {
  matrix     = { service = ["echo", "api"] }
  name       = service
  context    = "."
  dockerfile = "deploy/Dockerfile"
  target     = service
  tags       = ["${REGISTRY}bellbuoy-${service}:${VERSION}"]
  platforms  = ["linux/amd64", "linux/arm64"]
  args = {
    PYTHON_IMAGE = PYTHON_IMAGE
    VERSION      = VERSION
    REVISION     = REVISION
  }
  attest = ["type=sbom", "type=provenance,mode=max"]
}
