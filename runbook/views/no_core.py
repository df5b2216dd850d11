"""No image of our memory is left anywhere."""

import resource


def leave_no_core() -> None:
    """Have neither this process nor those it starts leave an image of its memory, secrets and all.

    One byte, not none: with none Linux hands the image to a program all the same, where the kernel's
    core_pattern names one (fs/coredump.c). What wants images of its own may raise the limit again.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))
