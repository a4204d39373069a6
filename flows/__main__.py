"""Entry point of `portrait-rgbd` and `python -m flows`."""

from __future__ import annotations

import gc


def main() -> None:
    """Load the command line and run it."""
    # until the flow is loaded, too: loading makes hundreds of thousands of objects that all stay, and
    # looking through them for garbage, again and again, is a seventh of the start
    gc.disable()
    from flows.command_line import main as run

    run()


if __name__ == "__main__":
    main()
