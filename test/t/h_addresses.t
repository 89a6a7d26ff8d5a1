# SPDX-License-Identifier: Apache-2.0
# Under which address people come back from the realm: of this host's names, of what a proxy says that is trusted.
use strict;
use warnings;
use Test::More;
use IO::Socket::IP;
use Keycloak::Browser;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant SITE => 'addresses-own';

my %hosts = (
    'named'  => ['ServerName named.test', 'ServerAlias first.test second.test *.wild.test w?ld.test'],
    'behind' => ['ServerName behind.test', 'KeycloakTrustedProxy 192.0.2.0/24 127.0.0.0/8 ::1'],
    'lonely' => ['ServerName lonely.test', 'KeycloakTrustedProxy 192.0.2.1'],
    'ported' => ['ServerName ported.test:8443', 'UseCanonicalName On'],
    'schemed' => ['ServerName https://schemed.test:8443', 'UseCanonicalName On'],
);
my $server = Keycloak::Server->new(SITE, lines => ['Listen [::1]:${PORT}', "LoadModule unique_id_module $ENV{KC_MODULES}/mod_unique_id.so",
    map { ('<VirtualHost *:*>', @{ $hosts{$_} }, '</VirtualHost>') } qw(named behind lonely ported schemed)]);
local $ENV{KC_PORT} = $server->port;
my $port = $server->port;

# The address that the realm is told to send people back to.
sub back_to {
    my ($host, %headers) = @_;
    my $start = browser('named')->get('/x', Host => $host, %headers);
    return (query_of($start->header('Location'))->{redirect_uri} // 'none: ' . $start->status) =~ s{/authservice/oidc/callback$}{}r;
}

# ---- names

my @names = (
    ['the host\'s own name',    "named.test:$port",        "http://named.test:$port"],
    ['in capitals',             "NAMED.test:$port",        "http://named.test:$port"],
    ['one of its other names',  "second.test:$port",       "http://second.test:$port"],
    ['a name of a pattern',     "a.b.wild.test:$port",     "http://a.b.wild.test:$port"],
    ['of another one',          "wold.test:$port",         "http://wold.test:$port"],
    ['a name of nobody',        "evil.example.com:$port",  "http://named.test:$port"],
    ['one that ends alike',     "evilsecond.test:$port",   "http://named.test:$port"],
    ['this machine',            "localhost:$port",         "http://localhost:$port"],
    ['this machine\'s address', "127.0.0.1:$port",         "http://127.0.0.1:$port"],
    ['its address in IPv6',     "[::1]:$port",             "http://[::1]:$port"],
    ['another address',         "192.0.2.7:$port",         "http://named.test:$port"],
    ['a fixed port',            'ported.test',             'http://ported.test:8443'],
    ['a fixed scheme',          'schemed.test',            'https://schemed.test:8443'],
);
for my $row (@names) {
    my ($name, $host, $wanted) = @$row;
    is back_to($host), $wanted, "$name: $host";
}

# ---- what a proxy says

my @said = (
    ['the scheme',                'http://behind.test',  'X-Forwarded-Proto' => 'http'],
    ['https',                     'https://behind.test', 'X-Forwarded-Proto' => 'https'],
    ['in capitals',               'https://behind.test', 'X-Forwarded-Proto' => 'HTTPS'],
    ['a scheme that is none',     'http://behind.test',  'X-Forwarded-Proto' => 'gopher'],
    ['the host',                  'http://a.example.com', 'X-Forwarded-Host' => 'a.example.com'],
    ['host and port',             'http://a.example.com:8080', 'X-Forwarded-Host' => 'a.example.com', 'X-Forwarded-Port' => 8080],
    ['a port in both',            'http://a.example.com:8081', 'X-Forwarded-Host' => 'a.example.com:8081', 'X-Forwarded-Port' => 8080],
    ['scheme and port',           'https://behind.test:8443', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Port' => 8443],
    ['the scheme\'s own port',    'https://behind.test', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Port' => 443],
    ['the port alone',            "http://behind.test:$port", 'X-Forwarded-Port' => 8443],
    ['a port that is none',       "http://behind.test:$port", 'X-Forwarded-Proto' => 'http', 'X-Forwarded-Port' => '8x'],
    ['nothing',                   "http://behind.test:$port"],
    ['an empty host',             "http://behind.test:$port", 'X-Forwarded-Host' => ''],
    ['of several the last',       'https://b.example.com', 'X-Forwarded-Proto' => "http,\thttps ", 'X-Forwarded-Host' => 'a.example.com , b.example.com'],
    ['a last one that is empty',  "http://behind.test:$port", 'X-Forwarded-Host' => 'a.example.com, '],
);
for my $row (@said) {
    my ($name, $wanted, %headers) = @$row;
    is back_to("behind.test:$port", %headers), $wanted, "a trusted proxy says $name";
    is back_to("lonely.test:$port", %headers), "http://lonely.test:$port", '... and another one may say what it likes';
}

# ---- IPv6

subtest 'over IPv6' => sub {
    no warnings 'redefine';
    local *Keycloak::Browser::_connect = sub { IO::Socket::IP->new(PeerHost => '::1', PeerPort => $port) || die "connect: $@\n" };
    is back_to("[::1]:$port"), "http://[::1]:$port", 'this machine\'s address';
    is back_to("localhost:$port"), "http://localhost:$port", 'its name';
    is back_to("[2001:db8::1]:$port"), "http://named.test:$port", 'another address';
    is back_to("behind.test:$port", 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => '[2001:db8::1]:8443'), 'https://[2001:db8::1]:8443', 'what a trusted proxy says';
};

# ---- how a request is found in the log

subtest 'the id of mod_unique_id' => sub {
    my $answer = browser('named')->api('/authservice/nothing');
    my $id = $answer->json->{request_id};
    like $id, qr/^[\w@-]{24,}$/, 'an error has it';
    my $log = $server->log;
    like $log, qr/KC0105: .*request \Q$id\E\]/, 'and its line in the log' if $log =~ /KC0105/;
};

done_testing;
