"""The boundary to ansible-core, for our plugins: templating, trust, vaulted values.

Imported only inside Ansible's own processes. Facts about the interfaces are from ansible-core 2.19:
`ansible.template.Templar` (`template`, `evaluate_conditional`) and `trust_as_template` are public.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any

from ansible._internal._datatag._tags import Origin, TrustedAsTemplate
from ansible._internal._templating._jinja_bits import _TemplateCompileContext
from ansible.constants import config
from ansible.errors import AnsibleError
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.vault import EncryptedString, VaultHelper, is_encrypted_file
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import (
    filter_loader,
    test_loader,
)
from ansible.release import __version__
from ansible.template import Templar, trust_as_template

from runbook.executor.compiled import TEMPLATE, get_ready, remember
from runbook.executor.guard import (
    OverMemoryError,
    bounded_memory,
    expect_answer,
    is_bounded,
    is_larger_than,
    resident_bytes,
    take_turns,
)
from runbook.executor.looking import CouldNotRenderError
from runbook.executor.mentioned import Led, mentioned
from runbook.executor.once import CannotCompareError, Once
from runbook.executor.plan import Plan, variable_of
from runbook.model.definition import Json

SECRET_NAME = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token|api_?key|private_?key|credentials?)$"
)
"""Variables with such names are masked wherever they came from."""


def _as_ansible_reads(kind: str) -> Any:
    """Read a backslash in a text as Ansible does in what it renders, and in conditions."""
    return _TemplateCompileContext(escape_backslashes=kind == TEMPLATE)


_found: dict[tuple[str, ...], tuple[Any, Any]] = {}
_environments: dict[tuple[str, ...], Any] = {}


def _share_environment(engine: Any) -> Any:
    """Have a template engine use the environment of others with the same folders, and return it.

    With it come the templates that they have compiled, and the filters and tests that they have found:
    Ansible looks for each by its name, in all collections before it takes one of Jinja's own, 0.4 ms.
    """
    places = (*filter_loader._get_paths(), *test_loader._get_paths())  # noqa: SLF001 -- no public name
    shared = _environments.get((engine.basedir, *places))
    if shared is None:
        shared = remember(engine.environment)
        shared.filters, shared.tests = _found.setdefault(places, (shared.filters, shared.tests))
        _environments[engine.basedir, *places] = shared
    engine._environment = shared  # noqa: SLF001 -- no public name
    return shared


TOO_LONG = "the host's answer is too long to be taken in"
MAX_TASK_CHARACTERS = 8 << 20
MAX_TASK_VALUES = 200_000
MAX_TASK_GROWTH_BYTES = 64 << 20
"""What a host may answer to an ordinary task: Ansible itself takes in whatever comes, several times
over. The growth is that of the process of one task on one host, all items of a loop together."""


def bound_answers(turns: Path) -> None:
    """Have Ansible fail a task to which a host answers more than can be taken in.

    For the process that plays a playbook, before it starts the processes of tasks, which take turns
    with long answers by locking the file `turns`.
    """
    take_turns(turns)
    before_bytes = resident_bytes()
    for name, reads in (("_execute_module", False), ("_low_level_execute_command", True)):
        bounded = _bounded(getattr(ActionBase, name), before_bytes, reads=reads)
        setattr(ActionBase, name, bounded)


def _bounded(
    carry_out: Callable[..., Any], before_bytes: int, *, reads: bool
) -> Callable[..., Any]:
    """Bound a method; `reads` says that it takes in an answer itself, not only by another."""

    @wraps(carry_out)
    def within_bounds(*arguments: Any, **options: Any) -> Any:
        if is_bounded():
            if reads:
                expect_answer()
            return carry_out(*arguments, **options)
        told: Any = None
        try:
            with bounded_memory(MAX_TASK_GROWTH_BYTES, above_bytes=before_bytes):
                if reads:
                    expect_answer()
                told = carry_out(*arguments, **options)
                too_long = is_larger_than(told, MAX_TASK_VALUES, MAX_TASK_CHARACTERS)
        except OverMemoryError:
            too_long = True
        if too_long:
            raise AnsibleError(TOO_LONG)
        return told

    return within_bounds


class AnsibleTemplating:
    """`looking.Templating` on Ansible's Templar, of which it has a copy of its own.

    What it comes to where it `learns` is found again by all others of this process, and of those that
    are forked from it.
    """

    def __init__(self, templar: Templar) -> None:
        self._templar = templar.copy_with_new_env()
        self.environment = _share_environment(
            self._templar._engine  # noqa: SLF001 -- the public name is deprecated
        )
        self.learns = False
        self._led: Led = {}

    def get_ready(self, plan: Plan) -> None:
        """Compile what the plan has for every host, or take it as compiled before."""
        get_ready(
            self.environment, plan.templates(), plan.conditions(), __version__, _as_ansible_reads
        )

    def _with(self, variables: Mapping[str, Json]) -> Templar:
        self._templar.available_variables = variables
        return self._templar

    def render(self, value: Json, variables: Mapping[str, Json]) -> Json:
        """Render a value of the runbook; see `looking.Templating`."""
        if _is_itself(value):
            return value
        if known := _once.find(value, variables):
            return known[0]
        try:
            told = self._with(mentioned(value, variables, led=self._led)).template(trusted(value))
        except AnsibleError as error:
            raise CouldNotRenderError(plain_reason(error)) from error
        if self.learns:
            _once.keep(value, variables, told)
        return told

    def value_of(self, name: str, variables: Mapping[str, Json]) -> Json:
        """Return a variable's value; what it holds is rendered only if its own source is trusted.

        Raises CouldNotRenderError.
        """
        return self.rendered(variables[name], variables)

    def rendered(self, value: Json, variables: Mapping[str, Json]) -> Json:
        """Render a value that is not the runbook's, if its own source is trusted.

        Raises CouldNotRenderError.
        """
        if _is_itself(value):
            return value
        try:
            return self._with(mentioned(value, variables, led=self._led)).template(value)
        except AnsibleError as error:
            raise CouldNotRenderError(plain_reason(error)) from error

    def holds(self, condition: str, variables: Mapping[str, Json]) -> bool:
        """Evaluate a condition of the runbook; see `looking.Templating`."""
        if known := _once.find(condition, variables, expression=True):
            return bool(known[0])
        try:
            needed = mentioned(condition, variables, expression=True, led=self._led)
            held = bool(self._with(needed).evaluate_conditional(trust_as_template(condition)))
        except AnsibleError as error:
            raise CouldNotRenderError(plain_reason(error)) from error
        if self.learns:
            _once.keep(condition, variables, held, expression=True)
        return held


def _is_itself(value: Json) -> bool:
    """Say whether a value is certainly no template."""
    if isinstance(value, str):
        return "{" not in value and not value.startswith("#jinja2:")
    return value is None or isinstance(value, int | float)


def _is_template(value: Json) -> bool:
    """Say whether a variable's value is rendered; see `Once`."""
    tags = AnsibleTagHelper.tag_types(value)
    if not tags:
        return False
    if tags - {Origin, TrustedAsTemplate} or _is_from_a_vault(value):
        raise CannotCompareError
    return TrustedAsTemplate in tags


_once = Once(is_template=_is_template)
"""What was learnt in this process, or in the one that it was forked from."""

DISCOVERED = frozenset(["", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent"])
"""Values of `ansible_python_interpreter` that leave it to Ansible which Python is used."""


def interpreter_of(
    variables: Mapping[str, Any], templating: AnsibleTemplating
) -> tuple[str | None, list[str]]:
    """Return the Python of a host; if that is left to Ansible, None and the ones it would try.

    Raises CouldNotRenderError.
    """
    setting = config.get_config_value("INTERPRETER_PYTHON", variables=variables)
    wanted = str(templating.rendered(setting, variables) or "").strip()
    if wanted not in DISCOVERED:
        return wanted, []
    facts = variables.get("ansible_facts")
    known = facts.get("discovered_interpreter_python") if isinstance(facts, Mapping) else None
    names = config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=variables)
    return (str(known) if known else None), [str(name) for name in names]


def is_posix(connection: Any) -> bool:
    """Say whether commands of a connection are run by a POSIX shell on the host itself."""
    shell = connection._shell  # noqa: SLF001 -- as Ansible's own action plugins
    return bool(shell.SHELL_FAMILY == "sh") and not getattr(connection, "_remote_is_local", False)


def plain_reason(error: BaseException) -> str:
    """Return an Ansible error's message on one line, bounded."""
    message = getattr(error, "message", None) or str(error)
    return " ".join(str(message).split())[:500]


def trusted(value: Json) -> Json:
    """Mark every string inside a value of the runbook as a template that may be rendered."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [trusted(item) for item in value]
    return value


_NOT_THE_HOSTS_OWN = frozenset(
    ["ansible_facts", "environment", "groups", "hostvars", "omit", "vars"]
)


def secrets_in(variables: Mapping[str, Any], named: Iterable[str]) -> frozenset[str]:
    """Return the secret strings among a host's variables.

    Secret are values that were vaulted, texts in files that were vaulted as a whole, values of the
    `named` variables, and those whose name says so. Templates are left alone: what they come to is
    found at its source.
    """
    found: set[str] = set()
    wanted = frozenset(named)
    for name, value in variables.items():
        secret = name in wanted or bool(SECRET_NAME.search(name))
        if name in _NOT_THE_HOSTS_OWN:
            continue
        _collect(value, secret=secret, found=found, depth=0)
    return frozenset(found)


def secrets_of(
    plan: Plan, variables: Mapping[str, Any], templating: AnsibleTemplating
) -> frozenset[str]:
    """Return all secret strings that may come up in the results of a host with these variables.

    To those among the variables come what secret params are rendered to, and what is sealed in the
    runbook itself.
    """
    secret = {variable_of(name) for name, param in plan.params.items() if param.secret}
    named = [name for name in variables if name in secret]
    found = set(secrets_in(variables, named))
    for name in named:
        try:
            _collect(templating.value_of(name, variables), secret=True, found=found, depth=0)
        except CouldNotRenderError:
            continue
    for ciphertext in plan.sealed:
        _collect(EncryptedString(ciphertext=ciphertext), secret=True, found=found, depth=0)
    return frozenset(found)


def secrets_given(plan: Plan, given: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return the secret params among what scopes were given."""
    found: set[str] = set()
    for prefix, scope in plan.scopes.items():
        for name in scope.secret:
            _collect(given.get(prefix, {}).get(name), secret=True, found=found, depth=0)
    return frozenset(found)


def _collect(value: Any, *, secret: bool, found: set[str], depth: int) -> None:
    if depth > 8:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            named = isinstance(key, str) and bool(SECRET_NAME.search(key))
            _collect(item, secret=secret or named, found=found, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, secret=secret, found=found, depth=depth + 1)
    elif VaultHelper.get_ciphertext(value, with_tags=False):
        found.add(_decrypted(value))
    elif _is_telling(value, secret=secret) and (secret or _is_from_a_vault(value)):
        found.add(str(value))


def _is_telling(value: Any, *, secret: bool) -> bool:
    """Say whether a value may be a secret by itself: any text that is no template, and numbers.

    Of the numbers that are only sealed along with others, some: who seals a password together with
    a port does not want 8000 hidden wherever it stands. No port has six digits; limits and sizes
    that do are round.
    """
    if isinstance(value, str):
        return "{{" not in value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return secret or (abs(value) >= 100_000 and bool(value % 1000 and value % 1024))


def _is_from_a_vault(value: object) -> bool:
    """Say whether a value was read from a file that is vaulted as a whole.

    Ansible marks no value of such a file, but each with where it was read.
    """
    origin = Origin.get_tag(value)
    return origin is not None and origin.path is not None and _is_sealed(origin.path)


@cache
def _is_sealed(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return bool(is_encrypted_file(file))
    except (OSError, ValueError):
        return False


def _decrypted(value: Any) -> str:
    try:
        return str(value)
    except AnsibleError:
        return ""  # No key for it here: then Ansible cannot show it either.
