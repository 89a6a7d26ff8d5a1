# SPDX-License-Identifier: Apache-2.0
# The address to which users return from the realm: by this host's names, and by what a trusted proxy says.
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
    'behind' => ['ServerName behind.test', 'ServerAlias *.behind.test', 'KeycloakTrustedProxy 192.0.2.0/24 127.0.0.0/8 ::1'],
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
    ['wss, as of a WebSocket',    'https://behind.test', 'X-Forwarded-Proto' => 'wss'],
    ['ws',                        'http://behind.test',  'X-Forwarded-Proto' => 'WS'],
    ['that TLS is on',            'https://behind.test', 'X-Forwarded-Ssl' => 'on'],
    ['that TLS is off',           'http://behind.test',  'X-Forwarded-Ssl' => 'off'],
    ['X-Scheme',                  'https://behind.test', 'X-Scheme' => 'https'],
    ['X-Forwarded-Scheme',        'https://behind.test', 'X-Forwarded-Scheme' => 'https', 'X-Scheme' => 'http'],
    ['X-Forwarded-Proto first',   'http://behind.test',  'X-Forwarded-Proto' => 'http', 'X-Forwarded-Ssl' => 'on'],
    ['two, of which one is strange', 'https://b.example.com', 'X-Forwarded-For' => '198.51.100.1', 'X-Forwarded-Proto' => 'http, https',
        'X-Forwarded-Host' => 'evil.example.com, b.example.com'],
    ['two in a row',              'https://a.example.com', 'X-Forwarded-For' => '198.51.100.1, 192.0.2.9', 'X-Forwarded-Proto' => 'https, http',
        'X-Forwarded-Host' => 'a.example.com, b.example.com', 'X-Forwarded-Port' => '443, 8080'],
    ['three in a row, and a client that lies', 'https://a.example.com:8443', 'X-Forwarded-For' => '10.0.0.1, 198.51.100.1, 127.0.0.7:99, ::1',
        'X-Forwarded-Proto' => 'http,https,http,http', 'X-Forwarded-Host' => 'evil.example.com, a.example.com, b, c', 'X-Forwarded-Port' => '1,8443,2,3'],
    ['a value that is replaced',  'https://a.example.com', 'X-Forwarded-For' => '198.51.100.1, 192.0.2.9', 'X-Forwarded-Proto' => 'https',
        'X-Forwarded-Host' => 'a.example.com'],
    ['Forwarded',                 'https://a.example.com', Forwarded => 'for=198.51.100.1;proto=https;host=a.example.com'],
    ['Forwarded, with quotes',    'https://a.example.com:8443', Forwarded => 'FOR="[2001:db8::1]:99"; Proto="https" ;Host="a.example.com:8443";by=_x'],
    ['Forwarded, of two in a row', 'https://a.example.com', Forwarded => 'for=198.51.100.1;proto=https;host=a.example.com, for="192.0.2.9:80";proto=http;host=b'],
    ['Forwarded, of a strange one', 'http://b.example.com', Forwarded => 'host=evil.example.com;proto=https, for=198.51.100.1;proto=http;host=b.example.com'],
    ['Forwarded beside X-Forwarded-Proto', 'https://behind.test', 'X-Forwarded-Proto' => 'https', Forwarded => 'host=evil.example.com;proto=http'],
    ['a name in place of an address', 'https://b.example.com', 'X-Forwarded-For' => '198.51.100.1, localhost', 'X-Forwarded-Proto' => 'http, https',
        'X-Forwarded-Host' => 'evil.example.com, b.example.com'],
    ['a last one that is empty',  "http://behind.test:$port", 'X-Forwarded-Host' => 'a.example.com, '],
);
for my $row (@said) {
    my ($name, $wanted, %headers) = @$row;
    is back_to("behind.test:$port", %headers), $wanted, "a trusted proxy says $name";
    is back_to("lonely.test:$port", %headers), "http://lonely.test:$port", '... and another one may say what it likes';
}

# A Host that the proxy hands on is right where httpd does not know better.
is back_to('a.example.com', 'X-Forwarded-Proto' => 'https'), 'http://named.test:' . $port, 'another Host, of nobody who is trusted';
is back_to('second.behind.test', 'X-Forwarded-Proto' => 'https'), 'https://second.behind.test', 'a Host of its names, the scheme told';
is back_to('second.behind.test:8443', 'X-Forwarded-Proto' => 'https'), 'https://second.behind.test:8443', 'and with its port';
{
    my $nameless = Keycloak::Server->new('addresses-nameless', lines => ['KeycloakTrustedProxy 127.0.0.1'], nameless => 1);
    my $start = Keycloak::Browser->new('nameless', host => '127.0.0.1');
    $start->{port} = $nameless->port;
    my $answer = $start->get('/x', Host => 'app.example.com', 'X-Forwarded-Proto' => 'https');
    is query_of($answer->header('Location'))->{redirect_uri}, 'https://app.example.com/authservice/oidc/callback', 'a server without a name of its own';
    like $nameless->log, qr/KC0003: KeycloakIssuer \(line \d+ of .*neither KeycloakPublicURL nor ServerName says/, 'which is said at start';
    unlike $server->log, qr/neither KeycloakPublicURL nor ServerName/, 'and not of one that has it';
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
    like $log, qr/KC0105: .*request \Q$id\E\]/, 'and its line in the log';
};

done_testing;
