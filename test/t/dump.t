# SPDX-License-Identifier: Apache-2.0
# httpd -t -D DUMP_KEYCLOAK: the effective settings of each server, where each was set, and no secret.
use strict;
use warnings;
use Test::More;

my $dir = "$ENV{KC_ROOM}/dump";
mkdir $dir;

sub file {
    my ($name, $text) = @_;
    open my $handle, '>', "$dir/$name" or die "$name: $!";
    print $handle $text;
    close $handle;
    chmod 0600, "$dir/$name";
    return "$dir/$name";
}

my @base = ("ServerRoot $dir", "PidFile $dir/pid", "ErrorLog $dir/error_log", 'ServerName main.test', 'Listen 127.0.0.1:1',
    (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(mpm_event authn_core authz_core authz_user headers)),
    "LoadModule auth_keycloak_module $ENV{KC_BUILD}/mod_auth_keycloak.so");

# Runs httpd -t on a configuration: its exit status, and what it printed. The line numbers of @lines begin at $first.
my $first = @base + 1;
sub run {
    my ($options, @lines) = @_;
    my $path = file('httpd.conf', join("\n", @base, @lines, ''));
    open my $pipe, '-|', "\Q$ENV{KC_HTTPD}\E -t $options -f \Q$path\E 2>$dir/stderr" or die "httpd: $!";
    my $printed = do { local $/; <$pipe> } // '';
    close $pipe;
    return ($?, $printed);
}

my $canary = 'canary-dump-5501-of-thirty-two-characters-or-more';
my @hidden = map { "$canary-$_" } 0 .. 9;
local $ENV{KC_TEST_SECRET} = $hidden[1];
file('password', "$hidden[2]\n");
file('key', "$hidden[3]\n");
my @lines = (
    'KeycloakIssuer https://keycloak.test/realms/x',
    'KeycloakClientID app',
    "KeycloakClientSecret $hidden[0]",
    'KeycloakCryptoKey file:key',
    'KeycloakMemcached 127.0.0.1:1',
    'KeycloakMemcachedUser app',
    'KeycloakMemcachedPassword file:password',
    "KeycloakAuthURL https://login.test/auth?key=$hidden[4]",
    "KeycloakUnauth 401",
    "<Location \"/a\x1b[31m\">",
    'AuthType Keycloak',
    "RequestHeader set X-Secret $hidden[5]",
    '<RequireAny>',
    'Require keycloak-role admin',
    "Require expr %{HTTP:X-Secret}=='$hidden[6]'",
    '</RequireAny>',
    '</Location>',
    '<Location /open>',
    "RequestHeader set X-Secret $hidden[7]",
    'Require all granted',
    '</Location>',
    '<VirtualHost 127.0.0.1:1>',
    'ServerName a.test',
    'KeycloakClientSecret env:KC_TEST_SECRET',
    'KeycloakScope openid groups',
    '<Location /b>',
    'AuthType Keycloak',
    'Require valid-user',
    'KeycloakMaxAge 5m',
    '</Location>',
    '</VirtualHost>',
    '<VirtualHost *:2>',
    'ServerName same.test',
    '</VirtualHost>',
    '<VirtualHost *:3>',
    'ServerName exec.test',
    "KeycloakClientSecret \"exec:/bin/echo $hidden[8]\"",
    '</VirtualHost>',
);
sub at { my $text = shift; my ($index) = grep { index($lines[$_], $text) == 0 } 0 .. $#lines; return "$dir/httpd.conf:" . ($first + $index) }

subtest 'without the word, nothing is printed' => sub {
    my ($status, $printed) = run('', @lines);
    is $status, 0, 'the configuration is good';
    is $printed, '', 'and not a word';
};

my ($status, $printed) = run('-D DUMP_KEYCLOAK', @lines);
is $status, 0, 'the dump' or diag do { local (@ARGV, $/) = "$dir/stderr"; <> };
my ($head, $main, $a, $same, $exec) = split /^(?=Main server|Virtual host)/m, $printed;
unlike $printed, qr/\Q$canary\E/, 'no secret in it';
unlike $printed, qr/[^\n -~]/, 'no control character';
sub has { my ($text, $line, $origin, $name) = @_; like $text, qr/^ +\Q$line\E  \[\Q$origin\E\]$/m, $name // $line }

like $head, qr/^mod_auth_keycloak \d.*: effective settings/, 'which version';
like $main, qr/^Main server main\.test$/m, 'the main server';
has $main, 'KeycloakIssuer               https://keycloak.test/realms/x', at('KeycloakIssuer');
has $main, 'KeycloakClientSecret         (secret, written there)', at('KeycloakClientSecret canary');
has $main, "KeycloakCryptoKey            (secret, file:$dir/key)", at('KeycloakCryptoKey');
has $main, "KeycloakMemcachedPassword    (secret, file:$dir/password)", at('KeycloakMemcachedPassword');
has $main, 'KeycloakAuthURL              https://login.test/auth?key=...', at('KeycloakAuthURL');
has $main, 'KeycloakUnauth               401', at('KeycloakUnauth');
has $main, 'KeycloakSessionMax           10h', 'default';
has $main, 'KeycloakPublicURL            (not set)', 'default';
like $main, qr/^  Sections, also of each virtual host:$/m, 'its sections';
has $main, '<Location "/a\x1b[31m">', at('<Location "/a');
has $main, 'AuthType Keycloak', at('AuthType');
has $main, '<RequireAny>', at('<RequireAny');
has $main, 'Require keycloak-role admin', at('Require keycloak-role');
has $main, 'Require expr ...', at('Require expr');
unlike $main, qr{X-Secret|/open}, 'nothing of other modules, and no section of others';

like $a, qr/^Virtual host a\.test 127\.0\.0\.1:1  \[\Q@{[at('<VirtualHost 127')]}\E\]$/m, 'a virtual host';
has $a, 'KeycloakIssuer               https://keycloak.test/realms/x', at('KeycloakIssuer') . ', main server', 'what it inherits';
has $a, 'KeycloakClientSecret         (secret, env:KC_TEST_SECRET)', at('KeycloakClientSecret env');
has $a, 'KeycloakScope                openid groups', at('KeycloakScope');
has $a, 'KeycloakUnauth               401', at('KeycloakUnauth') . ', main server';
has $a, '<Location /b>', at('<Location /b');
has $a, 'KeycloakMaxAge 5m', at('KeycloakMaxAge');
unlike $a, qr{/a\\x1b}, 'the main server\'s sections are not repeated';

like $same, qr/Settings: those of the main server/, 'one without settings of its own';
has $exec, 'KeycloakClientSecret         (secret, exec:/bin/echo)', at('KeycloakClientSecret "exec');

subtest 'where the module is off' => sub {
    my ($status, $printed) = run('-D DUMP_KEYCLOAK', 'KeycloakScope openid', '<VirtualHost *:1>', 'ServerName a.test', @lines[0 .. 2], '</VirtualHost>');
    is $status, 0, 'it is printed as well';
    my (undef, $main, $a) = split /^(?=Main server|Virtual host)/m, $printed;
    like $main, qr/The module is off: no KeycloakIssuer$/m, 'it says so';
    like $main, qr/KeycloakScope +openid  \[/, 'with what was set';
    unlike $main, qr/default/, 'and no default';
    like $a, qr/KeycloakScope +openid  \[.*, main server\]$/m, 'and others inherit';
};

subtest 'with names of the administrator\'s own' => sub {
    my ($status, $printed) = run('-D DUMP_KEYCLOAK', @lines[0 .. 2], 'KeycloakSettingNames KeycloakIssuer=OIDC_PROVIDER');
    is $status, 0, 'printed';
    like $printed, qr{^    KeycloakIssuer +https://keycloak\.test/realms/x  \[OIDC_PROVIDER, \Q$dir\E/httpd\.conf:$first\]$}m, 'both names';
};

done_testing;
