"""The overlays and components that the tests render are those that exist; no tool is no pass."""

import pytest
import yaml

from tests.repository import kustomize
from tests.repository.tree import ROOT, sources, text


def test_every_overlay_and_component_is_rendered() -> None:
    """A new one is listed, and so validated."""
    assert sorted(each.name for each in (ROOT / "k8s/overlays").iterdir()) == [*kustomize.OVERLAYS]
    found = sorted(each.name for each in (ROOT / "k8s/components").iterdir())
    assert found == [*kustomize.COMPONENTS]


def test_every_manifest_is_in_a_rendering() -> None:
    """A file that its kustomization does not name would be a feature that is not there."""
    for folder in {path.parent for path in sources(".yaml", ".env", under="k8s")}:
        named = text(folder / "kustomization.yaml") if list((ROOT / folder).glob("kust*")) else ""
        for path in sources(".yaml", ".env", under=str(folder)):
            if path.parent == folder and named and path.name != "kustomization.yaml":
                assert path.name in named, path


def test_kustomizations_use_no_field_that_is_on_its_way_out() -> None:
    """What `kustomize edit fix` would replace."""
    old = {"bases", "commonLabels", "imageTags", "patchesJson6902", "patchesStrategicMerge", "vars"}
    for path in sources(".yaml", under="k8s"):
        if path.name == "kustomization.yaml":
            assert not old & yaml.safe_load(text(path)).keys(), path


def test_an_overlay_is_a_difference() -> None:
    """It holds patches and no object of its own."""
    for path in sources(".yaml", under="k8s/overlays"):
        if path.name == "kustomization.yaml":
            assert yaml.safe_load(text(path))["resources"] == ["../../base"], path


def test_continuous_integration_fails_where_nothing_can_render(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Elsewhere the tests are skipped, with the reason."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="kubectl or kustomize"):
        kustomize.command()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="kubectl or kustomize"):
        kustomize.command()
