# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring Keycloak onto this machine: packages, download, checksum, build.
#
# To be sourced by bash, after packages.sh:
#   keycloak_packages && keycloak_fetch && keycloak_home

keycloak_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

# True when the `java` that Keycloak would be started with is version 17 or later.
keycloak_java_suits() {
    local java=java version
    [ -n "${JAVA_HOME:-}" ] && java=$JAVA_HOME/bin/java
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

# Installs what keycloak_fetch and Keycloak itself need and this machine has not.
keycloak_packages() {
    local missing=()
    keycloak_java_suits || missing+=("${PACKAGES_KEYCLOAK[0]}")
    command -v mvn >/dev/null || missing+=(maven)
    command -v unzip >/dev/null || missing+=(unzip)
    if [ ${#missing[@]} -gt 0 ]; then
        packages_need "Keycloak runs on Java 17 or later; Maven fetches it" "${missing[@]}"
    fi
    if ! keycloak_java_suits; then
        echo "Keycloak needs Java 17 or later; JAVA_HOME or PATH leads to another one:" >&2
        java -version >&2
        return 1
    fi
}

# Sets and exports KEYCLOAK_HOME; true when the pinned Keycloak is there, ready to be started.
keycloak_home() {
    # shellcheck source=docker/keycloak/keycloak.env
    . "$keycloak_root/docker/keycloak/keycloak.env"
    KEYCLOAK_HOME=$keycloak_root/.cache/keycloak-$KEYCLOAK_VERSION
    export KEYCLOAK_HOME
    keycloak_is_ready "$KEYCLOAK_HOME" "$KEYCLOAK_SHA256"
}

# The same for the oldest Keycloak that is supported: KEYCLOAK_OLDEST_HOME.
keycloak_oldest_home() {
    # shellcheck source=docker/keycloak/keycloak.env
    . "$keycloak_root/docker/keycloak/keycloak.env"
    KEYCLOAK_OLDEST_HOME=$keycloak_root/.cache/keycloak-$KEYCLOAK_OLDEST_VERSION
    export KEYCLOAK_OLDEST_HOME
    keycloak_is_ready "$KEYCLOAK_OLDEST_HOME" "$KEYCLOAK_OLDEST_SHA256"
}

# Whether the folder $1 holds what was unpacked from the zip with checksum $2, and was built.
keycloak_is_ready() {
    [ "$(cat "$1/.ready" 2>/dev/null)" = "$2" ]
}

# Keycloak of the pinned version under .cache/, verified, unpacked and built for the in-memory
# database. Safe to call from several processes at once.
keycloak_fetch() {
    keycloak_home || keycloak_bring "$KEYCLOAK_VERSION" "$KEYCLOAK_SHA256"
}

# The same for the oldest Keycloak that is supported.
keycloak_oldest_fetch() {
    keycloak_oldest_home || keycloak_bring "$KEYCLOAK_OLDEST_VERSION" "$KEYCLOAK_OLDEST_SHA256"
}

# Version $1, whose zip has the checksum $2, into the cache.
keycloak_bring() {
    local cache=$keycloak_root/.cache
    mkdir -p "$cache" || return 1
    (
        flock 9
        keycloak_is_ready "$cache/keycloak-$1" "$2" ||
            { keycloak_download "$cache" "$1" "$2" && keycloak_unpack "$cache" "$1" "$2"; }
    ) 9>"$cache/keycloak.lock"
}

# The zip of version $2 into the cache folder $1, by Maven; refused unless its checksum is $3.
keycloak_download() {
    local cache=$1 zip=$1/keycloak-quarkus-dist-$2.zip
    local artifact=org.keycloak:keycloak-quarkus-dist:$2:zip
    if ! echo "$3  $zip" | sha256sum --check --status 2>/dev/null; then
        echo "fetching Keycloak $2 with Maven (about 160 MB)"
        if ! mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
            "-Dartifact=$artifact" "-DoutputDirectory=$cache" -Dmdep.overWriteReleases=true \
            </dev/null >"$cache/maven.log" 2>&1 9>&-; then
            echo "Maven could not fetch $artifact:" >&2
            tail -n 15 "$cache/maven.log" >&2
            return 1
        fi
    fi
    if ! echo "$3  $zip" | sha256sum --check --status; then
        echo "$zip is not the file that docker/keycloak/keycloak.env names (SHA-256 differs);" >&2
        echo "it was removed. Remove Maven's own copy too (~/.m2) and try again." >&2
        rm -f "$zip"
        return 1
    fi
}

# Unpacks the zip of version $2 and prepares the server (Keycloak's own `build`), once for each version.
keycloak_unpack() {
    local cache=$1 home=$1/keycloak-$2
    echo "unpacking and preparing Keycloak $2 (once, about half a minute)"
    rm -rf "$home"
    unzip -q -d "$cache" "$cache/keycloak-quarkus-dist-$2.zip" || return 1
    # --cache is an option of `build` before 24, of `start` from then on.
    local options=(--db=dev-mem) java=()
    # Its Byte Buddy does not know Java 21 and later, unless it is told to try.
    [ "${2%%.*}" -ge 24 ] || { options+=(--cache=local) && java=(JAVA_OPTS_APPEND=-Dnet.bytebuddy.experimental=true); }
    if ! env "${java[@]}" "$home/bin/kc.sh" build "${options[@]}" </dev/null >"$cache/kc-build.log" 2>&1 9>&-
    then
        echo "Keycloak's build failed:" >&2
        tail -n 15 "$cache/kc-build.log" >&2
        return 1
    fi
    echo "$3" >"$home/.ready"
}
