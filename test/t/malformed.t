# SPDX-License-Identifier: Apache-2.0
# threats.md 195: requests that httpd rejects before it has read them, when an ErrorDocument leads past the module's checks.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Keycloak::Expect;
use Keycloak::Response;
use Keycloak::Server;
use Keycloak::World;

use constant DEADLINE => 30;    # seconds for one exchange
use constant CODES => (400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 421, 431, 500, 501, 503, 505);

my %faults = (
    'no target'                 => "GET\r\n\r\n",
    'a NUL'                     => "\0\r\n\r\n",
    'a bare line feed'          => "GET / HTTP/1.1\nHost: x\r\n\r\n",
    'a bare carriage return'    => "GET /\rx HTTP/1.1\r\nHost: x\r\n\r\n",
    'a space too many'          => "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    'no target, two spaces'     => "GET  HTTP/1.1\r\n\r\n",
    'a space before the method' => " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    'a line that is too long'   => 'GET /' . 'a' x 9000 . " HTTP/1.1\r\nHost: x\r\n\r\n",
    'a method without an end'   => 'A' x 9000,
    'HTTP/0.9'                  => "GET /\r\n",
    'HTTP/9.9'                  => "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    'HTTP/2.0 by hand'          => "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    'another protocol'          => "GET / FTP/1.1\r\nHost: x\r\n\r\n",
    'a TLS hello'               => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\xaa" x 64,
    'a preface of HTTP/2'       => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    'no Host'                   => "GET / HTTP/1.1\r\n\r\n",
    'an odd Host'               => "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    'two Hosts'                 => "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    'a field without a colon'   => "GET / HTTP/1.1\r\nHost: x\r\nNonsense\r\n\r\n",
    'a field that is too long'  => "GET / HTTP/1.1\r\nHost: x\r\nCookie: " . 'a=b; ' x 3000 . "\r\n\r\n",
    'too many fields'           => "GET / HTTP/1.1\r\nHost: x\r\n" . "X-A: b\r\n" x 120 . "\r\n",
    'a field of nothing'        => "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    'a length that is none'     => "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    'a coding that is none'     => "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n",
    'both lengths'              => "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    'an expectation'            => "GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n",
    'a token, an expectation'   => "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x.y.z\r\nExpect: more\r\n\r\n",
    'a fragment'                => "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
    'a password'                => "GET http://a:b\@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    'no slash'                  => "GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    'no path at all'            => "GET http://x?a HTTP/1.1\r\nHost: x\r\n\r\n",
    'a port that is none'       => "GET http://x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    'CONNECT'                   => "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    'CONNECT to nothing'        => "CONNECT : HTTP/1.1\r\nHost: x\r\n\r\n",
    'OPTIONS *'                 => "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    'GET *'                     => "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    'an unknown method'         => "FROB / HTTP/1.1\r\nHost: x\r\n\r\n",
    'a bad escape'              => "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    'an escaped NUL'            => "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    'above the root'            => "GET /../../x HTTP/1.1\r\nHost: x\r\n\r\n",
    'headers that end early'    => "GET / HTTP/1.1\r\nHost: x\r\nX-A",
    'nothing'                   => '',
    'blank lines alone'         => "\r\n" x 20,
);

sub free_ports {
    my @held = map {
        IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "no port: $!\n"
    } 1 .. shift;
    return map { $_->sockport } @held;
}

my @common = (
    'KeycloakIdleIgnore /poll /x/*/y', 'KeycloakBearer on', 'KeycloakIDTokenHeader X-Id-Token',
    'KeycloakUserHeader kubeflow-userid', map { "ErrorDocument $_ /errors/$_" } CODES,
);
my @judge = ('<Location />', 'SetHandler keycloak-judge', '</Location>');
my %places = (
    proxy           => [],
    'public errors' => ['KeycloakPublicPath /errors'],
    'passed on'     => ['<Location /errors>', 'KeycloakUnauth pass', '</Location>'],
    'registered'    => ['HttpProtocolOptions RegisteredMethods'],
    'unsafe'        => ['HttpProtocolOptions Unsafe Allow0.9'],
    judge           => [@judge],
    'judge, public' => ['KeycloakPublicPath /errors', @judge],
    nginx           => ['KeycloakJudgeFor nginx', 'KeycloakTrustedProxy 127.0.0.1', @judge],
    forwarded       => ['KeycloakJudgeFor forwarded', 'KeycloakTrustedProxy 127.0.0.1', @judge],
    operator        => ['<Location />', 'Require keycloak-role admin', 'SetHandler keycloak-sessions', '</Location>'],
    health          => ['<Location />', 'AuthType None', 'Require all granted', 'SetHandler keycloak-health', '</Location>'],
);
my %port;
@port{ sort keys %places } = free_ports(scalar keys %places);
my $server = Keycloak::Server->new('malformed', lines => [
    "LogFormat \"%r\" lines", "CustomLog $ENV{KC_ROOM}/malformed/access_log lines", map {
        ("Listen 127.0.0.1:$port{$_}", "<VirtualHost *:$port{$_}>", @common, @{ $places{$_} }, '</VirtualHost>')
    } sort keys %places
]);
$server->until_all;

# Sends octets, then no more: the answer to them.
sub answer_to {
    my ($port, $octets) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!\n";
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "no answer within " . DEADLINE . " s\n" };
    alarm DEADLINE;
    print $socket $octets;
    $socket->flush;
    shutdown $socket, 1;
    my $answer = '';
    1 while sysread $socket, $answer, 65536, length $answer;
    alarm 0;
    return Keycloak::Response->new($answer);
}

my %old = map { $_ => 1 } $server->children;
is scalar(keys %old), Keycloak::Server::CHILDREN, 'its children are there';

for my $place (sort keys %places) {
    subtest $place => sub {
        for my $fault (sort keys %faults) {
            my $answer = answer_to($port{$place}, $faults{$fault});
            my $status = $answer->status;
            ok !$answer->from_backend || $place =~ /^(?:public errors|passed on)$/, "$fault: no byte of the backend ($status)";
            # httpd itself says 200 to OPTIONS *, which is in no place; a gateway must not hear that
            my $is_answered = $fault eq 'OPTIONS *' && $place !~ /^(?:judge|nginx|forwarded)/;
            # and whether httpd is ready, everybody may know
            my $is_health = $answer->body =~ /^\{"ready":/;
            ok $status < 200 || $status > 299 || $answer->from_backend || $is_answered || $is_health, "$fault: no yes ($status)";
            unlike $answer->body, qr/kubeflow-userid/i, "$fault: nobody's name";
        }
    };
}
unlike $server->log, qr/exit signal/, 'no child died';
is_deeply [sort $server->children], [sort keys %old], 'they are the same children';
like answer_to($port{proxy}, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")->status, qr/^(?:302|401)$/, 'and answer';

subtest 'with a session, by an ErrorDocument of a request that is refused for its header' => sub {
    local $ENV{KC_PORT} = $port{proxy};
    my $browser = browser('malformed');
    is $browser->sign_in('/there')->status, 303, 'signed in';
    my $answer = $browser->get('/there', 'Expect' => 'more', 'Kubeflow-Userid' => 'mallory');
    my $seen = $answer->json || {};
    is $seen->{target}, '/errors/417', 'the document is the backend\'s';
    is join('|', headers_named($seen, 'kubeflow-userid')), 'alice@example.com', 'who is told who asks';
    is_deeply [grep { /keycloak/ } headers_named($seen, 'Cookie')], [], 'without our cookies';
};

subtest 'a callback that is refused for its header does not leave its code in a log' => sub {
    for my $place ('proxy', 'health') {
        for my $fault ('Expect: more', 'X-Long: ' . 'a' x 9000, 'Nonsense') {
            my $answer = answer_to($port{$place},
                "GET /authservice/oidc/callback?code=canary-code-1b7c&state=canary-state HTTP/1.1\r\nHost: x\r\n$fault\r\n\r\n");
            like $answer->status, qr/^(?:400|417|302|404|401)$/, substr($fault, 0, 12) . ': refused';
        }
    }
    ok wait_until(sub { (() = $server->access_log =~ m{/authservice/oidc/callback}g) >= 6 }), 'the lines are there';
    unlike $server->access_log, qr/canary/, 'without what they must not show';
    unlike $server->log, qr/canary-(?:code|state)/, 'nor does the error log';
};

$server->stop;
done_testing;
