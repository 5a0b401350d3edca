"""What the chassis' tests share: how Hypothesis looks for counterexamples."""

from hypothesis import settings

# A machine that is busy elsewhere makes an example slow, not wrong.
settings.register_profile("bellbuoy", deadline=None, max_examples=50)
settings.load_profile("bellbuoy")
