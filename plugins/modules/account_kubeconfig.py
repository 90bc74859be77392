#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: account_kubeconfig
short_description: Write a kubeconfig by which a ServiceAccount enters
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Asks the API server for a token of the account (TokenRequest), and writes it with the address and the authority of
    the cluster into a file that only its owner may read. The token is in nothing else, neither in the result nor in a
    diff.
  - A token that is of the account, and has more than half of its time before it, stays.
options:
  path:
    description: The file. Its folder must be there.
    type: path
    required: true
  account:
    description: Name of the ServiceAccount.
    type: str
    required: true
  account_namespace:
    description: Its namespace.
    type: str
    required: true
  namespace:
    description: Namespace that the kubeconfig leads to.
    type: str
    required: true
  server:
    description: Address of the API server for the account's user. That of this module's own access where not given.
    type: str
    default: ""
  lifetime:
    description: Seconds that the token is good for, at least 600. The API server may give a shorter one.
    type: int
    default: 2592000
requirements:
  - kubernetes
extends_documentation_fragment:
  - continuum.edge.attributes
  - continuum.edge.kubernetes
attributes:
  check_mode:
    description: Says whether the file would be written.
    support: full
  diff_mode:
    description: Shows the file without its token.
    support: full
"""

EXAMPLES = r"""
- name: Let a scientist in
  continuum.edge.account_kubeconfig:
    path: ~/tenants/physics/alice/kubeconfig
    account: physics.alice
    account_namespace: continuum-tenants
    namespace: physics
"""

RETURN = r"""
expires:
  description: When the token ends. Empty in check mode where it would be a new one.
  returned: success
  type: str
  sample: "2026-12-25T15:00:00Z"
"""

import time
from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import tree
from ansible_collections.continuum.edge.plugins.module_utils.account_kubeconfig import Access, Token, token_of
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (
    ACCESS,
    KubernetesApi,
    KubernetesError,
)

MODE = 0o600


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "account": {"type": "str", "required": True},
            "account_namespace": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "server": {"type": "str", "default": ""},
            "lifetime": {"type": "int", "default": 2592000},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    if find_spec("kubernetes") is None:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    given, path = module.params, Path(module.params["path"])
    if given["lifetime"] < 600:
        module.fail_json(msg=f"lifetime is {given['lifetime']}. Expected seconds, at least 600.")
    try:
        api = KubernetesApi(given["kubeconfig"], given["context"], given["account_namespace"])
        access = Access(given["server"] or api.address, api.authority, given["account"], given["namespace"])
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        kept = token_of(before)
        old = Token.read(kept)
        account = api.get("v1", "ServiceAccount", given["account"])
        if account is None and not module.check_mode:
            raise KubernetesError(f"There is no ServiceAccount {given['account']} in {given['account_namespace']}.")
        lasts = account is not None and old is not None and old.lasts(account["metadata"]["uid"], time.time())
        same = lasts and before == access.render(kept) and path.stat().st_mode & 0o7777 == MODE
        token = kept if lasts else ""
        if not same and not module.check_mode:
            token = token or api.request_token(given["account"], given["lifetime"])
            tree.write(path, access.render(token).encode(), MODE)
    except KubernetesError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"cannot write {path}: {error.strerror}")
    new = Token.read(token)
    diff = {
        "before_header": str(path),
        "after_header": str(path),
        "before": access.shown(old) if before else "",
        "after": access.shown(new),
    }
    module.exit_json(changed=not same, expires=new.until if new else "", diff=diff)


if __name__ == "__main__":
    main()
