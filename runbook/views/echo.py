"""Keeping what is typed off the screen while something is drawn over: each line moves the cursor."""

import os
import termios
from contextlib import suppress
from dataclasses import dataclass


@dataclass(kw_only=True)
class Echo:
    """The echo of a terminal; nothing is done where it is none, or another program's turn there."""

    descriptor: int
    _is_off: bool = False

    def off(self) -> None:
        """Show no more of what is typed; Ctrl-C goes on working."""
        self._switch(on=False)

    def on(self) -> None:
        """Show it again, where it was this that kept it off."""
        if self._is_off:
            self._switch(on=True)

    def _switch(self, *, on: bool) -> None:
        # A program in the background that touches the terminal would be stopped.
        with suppress(OSError, termios.error):
            if os.tcgetpgrp(self.descriptor) != os.getpgrp():
                return
            mode = termios.tcgetattr(self.descriptor)
            if bool(mode[3] & termios.ECHO) is on:
                return
            mode[3] ^= termios.ECHO
            termios.tcsetattr(self.descriptor, termios.TCSANOW, mode)
            self._is_off = not on
