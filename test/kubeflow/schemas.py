# SPDX-License-Identifier: Apache-2.0
"""Holds documents against Kubernetes' schemas; run by the Python that has the package kubernetes-validate.

    schemas.py DOCUMENTS.json VERSION...

DOCUMENTS is a list of [name, document]. Prints each fault and, last, how many documents were held against how many versions.
"""

import functools
import json
import sys

from kubernetes_validate import utils

# Definitions are some megabytes; they are read once a version.
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        documents = json.load(file)
    faults = checked = 0
    for version in sys.argv[2:]:
        if version not in {utils.major_minor(known) for known in utils.all_versions()}:
            print(f"no schemas of Kubernetes {version}")
            faults += 1
            continue
        for name, document in documents:
            what = f"{version} {name}: {document['kind']} {document['metadata']['name']}"
            try:
                utils.validate(document, version, strict=True)
                checked += 1
            except utils.SchemaNotFoundError:
                print(f"{what}: not a kind of Kubernetes")
                faults += 1
            except utils.ValidationError as error:
                print(f"{what}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
                faults += 1
    print(f"{checked} {faults}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
