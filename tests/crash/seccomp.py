"""Have the kernel refuse calls of this process, by seccomp(2); needs no rights.

Numbers of calls: https://github.com/torvalds/linux/blob/master/include/uapi/asm-generic/unistd.h for
aarch64, arch/x86/entry/syscalls/syscall_64.tbl for x86_64.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence

_NUMBERS = {
    "x86_64": {"write": 1, "pwrite64": 18, "fsync": 74, "fdatasync": 75, "seccomp": 317},
    "aarch64": {"write": 64, "pwrite64": 68, "fsync": 82, "fdatasync": 83, "seccomp": 277},
}[platform.machine()]

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _FOR_ALL_THREADS = 1, 1

# Instructions (linux/bpf_common.h) and places in `struct seccomp_data`.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_CALL, _FIRST_ARGUMENT = 0, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def answer(calls: Sequence[str], error: int, descriptors: Sequence[int]) -> None:
    """Have these calls on these descriptors end with an error number from now on, in all threads."""
    assert descriptors
    numbers = [_NUMBERS[call] for call in calls]
    program = [(_LOAD, 0, 0, _CALL)]
    # From each of them to the load of the argument; from the last one, where none is meant, to the end.
    program += [
        (_JUMP_IF_EQUAL, len(numbers) - place - 1, 0, number)
        for place, number in enumerate(numbers[:-1])
    ]
    program += [(_JUMP_IF_EQUAL, 0, len(descriptors) + 1, numbers[-1])]
    program += [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    program += [
        (_JUMP_IF_EQUAL, len(descriptors) - place, 0, descriptor)
        for place, descriptor in enumerate(descriptors)
    ]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | error)]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = ctypes.byref(_Program(length=len(program), filter=code))
    if (
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        or libc.syscall(_NUMBERS["seccomp"], _SET_MODE_FILTER, _FOR_ALL_THREADS, filter_) != 0
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
