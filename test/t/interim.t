# SPDX-License-Identifier: Apache-2.0
# threats.md 202: what a backend sends before its answer, or instead of it: 1xx answers, including that of a WebSocket.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

use constant DEADLINE => 60;    # seconds for one exchange

# ---- a backend that says, byte by byte, what the request's X-Say has, and then sends back what it gets, in capitals

my $listening = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "no port: $!\n";
my $port = $listening->sockport;

sub serve {
    my $socket = shift;
    my $head = '';
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    while ($head !~ /\r\n\r\n/) { sysread $socket, $head, 65536, length $head or return }
    my ($say) = $head =~ /^X-Say: (\S+)/mi or return;
    my ($piece) = $head =~ /^X-Piece: (\d+)/mi;
    my ($accept) = $head =~ /^Sec-WebSocket-Key: (\S+)/mi;
    my $octets = pack 'H*', $say;
    if (defined $accept) {
        require Digest::SHA;
        $accept = Digest::SHA::sha1_base64($accept . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
        $octets =~ s/%ACCEPT%/$accept/;
    }
    $piece ||= length $octets;
    for (my $at = 0; $at < length $octets; $at += $piece) { syswrite $socket, substr $octets, $at, $piece or return }
    while (sysread $socket, my $text, 65536) { syswrite $socket, uc $text or return }
    return;
}

my $backend = fork // die "fork: $!\n";
if (!$backend) {
    $SIG{PIPE} = 'IGNORE';
    local $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $socket = $listening->accept or next;
        my $pid = fork // 0;
        if (!$pid) { close $listening; alarm 4 * DEADLINE; serve($socket); close $socket; require POSIX; POSIX::_exit(0) }
        close $socket;
    }
}
close $listening;

my $site = 'interim';
my $server = Keycloak::Server->new($site, lines => [
    (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(http2 proxy_wstunnel)), 'Protocols h2c http/1.1', 'H2WebSockets on', 'H2EarlyHints on',
    'KeycloakPublicPath /public /raw /tunnel', 'LimitRequestFieldSize 65536', 'LimitRequestLine 65536',
    '<Location /raw>', 'ProxyWebsocketFallbackToProxyHttp Off', '</Location>',
    (map { "ProxyPass $_ http://127.0.0.1:$port/ upgrade=websocket disablereuse=on" } qw(/public/ws /mine)),
    "ProxyPass /public/plain http://127.0.0.1:$port/ disablereuse=on", 'HttpProtocolOptions Unsafe',
    (map { "ProxyPass $_ ws://127.0.0.1:$port/" } qw(/tunnel /raw))]);
END { local $?; if ($backend) { kill 'KILL', $backend; waitpid $backend, 0 } }
local $ENV{KC_PORT} = $server->port;
my $in = signed_in($site) or die "cannot sign in\n";

# ---- one exchange: what came back until a text is there, or until the end

my %upgrade = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13, 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');

sub until_there {
    my ($socket, $text, $wanted) = @_;
    eval {
        local $SIG{ALRM} = sub { die "too late\n" };
        alarm DEADLINE;
        while (!defined $wanted || $$text !~ $wanted) { sysread $socket, $$text, 65536, length $$text or last }
        alarm 0;
        1;
    } or do { alarm 0; diag "no answer within the time" };
    return;
}

sub start {
    my ($path, $say, %headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}) or die "connect: $!\n";
    $headers{'X-Say'} = unpack 'H*', $say;
    $headers{Cookie} = $in->cookie_header if $path =~ m{^/mine};
    print $socket "GET $path HTTP/1.1\r\nHost: $site.test:$ENV{KC_PORT}\r\n", (map { "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n";
    $socket->flush;
    return $socket;
}

sub plain { my ($path, $say, %headers) = @_; my $text = ''; until_there(start($path, $say, Connection => 'close', %headers), \$text); return $text }

sub lines { return join "\r\n", @_, '', '' }

my @ours = ('keycloak_session=planted; Path=/', '__Host-keycloak_session=planted; Secure; Path=/', 'KEYCLOAK_session=planted', '=keycloak_session=planted',
    "keycloak_session =\tplanted", 'a=1, keycloak_session=planted', 'keycloak_login_abc=planted', 'keycloak_logout=planted', 'keycloak_rounds=planted');
my @switch = ('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Accept: %ACCEPT%');

# ---- WebSockets

sub socket_ok {
    my ($path, $say, $name, %headers) = @_;
    return subtest $name => sub {
        my $socket = start($path, $say . 'hello', %upgrade, %headers);
        my $text = '';
        until_there($socket, \$text, qr/\r\n\r\nhello/);
        like $text, qr{^HTTP/1\.1 101 }, 'the protocol is switched' or diag $text;
        like $text, qr/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/m, 'with its other headers';
        unlike $text, qr/planted/, 'without cookies of ours';
        unlike $text, qr/\r(?!\n)/, 'and without carriage returns that some client could take for a line\'s end';
        my @kept = $text =~ /^set-cookie:\s*([^\r]*)\r$/gmi;
        is join('|', @kept), 'theme=dark|lang=en', 'with those of others';
        like $text, qr/\r\n\r\nhello\z/, 'what the backend says at once is there';
        # what looks like an answer is none
        my $frame = "http/1.1 103 early hints\r\nset-cookie: keycloak_session=of-a-frame\r\n\r\n";
        for my $round (1 .. 3) {
            print $socket $frame . $round;
            $socket->flush;
            until_there($socket, \$text, qr/\r\n\r\n$round\z/);
        }
        is substr($text, index($text, 'hello') + 5), join('', map { uc($frame) . $_ } 1 .. 3), 'and both directions work, byte for byte';
        close $socket;
    };
}

for my $path ('/public/ws', '/mine', '/tunnel', '/raw') {
    for my $cookie (@ours) {
        my $say = lines(@switch, 'Set-Cookie: theme=dark', "Set-Cookie: $cookie", 'Set-Cookie: lang=en');
        socket_ok($path, $say, "a WebSocket at $path: Set-Cookie: $cookie");
    }
    socket_ok($path, lines(@switch, 'Set-Cookie2: keycloak_session=planted', 'set-cookie: theme=dark', 'SET-COOKIE: keycloak_session=planted', 'Set-Cookie: lang=en'),
        "a WebSocket at $path: other spellings");
    socket_ok($path, lines(@switch, 'Set-Cookie: theme=dark', 'Set-Cookie:keycloak_session=planted', 'Set-Cookie: lang=en'), "a WebSocket at $path: byte by byte", 'X-Piece' => 1);
    socket_ok($path, lines(@switch, 'Set-Cookie: theme=dark', (map { "X-Long-$_: " . 'x' x 900 } 1 .. 12), 'Set-Cookie: keycloak_session=planted', 'Set-Cookie: lang=en'),
        "a WebSocket at $path: a block of more than one buffer");
}
socket_ok('/raw', "\r\n" . lines(@switch, 'Set-Cookie: theme=dark', 'Set-Cookie:', "\tkeycloak_session=planted", 'X: y' . "\rSet-Cookie: keycloak_session=other",
    'Set-Cookie: lang=en'), 'a tunnel: a folded line, one behind a carriage return, an empty first one', 'X-Piece' => 7);
subtest 'a tunnel: an interim answer before the upgrade' => sub {
    my $text = '';
    until_there(start('/raw', lines('HTTP/1.1 103 Early Hints', 'Set-Cookie: keycloak_session=planted') .
        lines(@switch, 'Set-Cookie: keycloak_session=planted') . 'hello', %upgrade), \$text, qr/hello/);
    like $text, qr{^HTTP/1\.1 103 .*^HTTP/1\.1 101 .*hello\z}ms, 'both arrive';
    unlike $text, qr/planted/, 'without the cookie';
};
subtest 'a tunnel whose backend refuses' => sub {
    my $text = '';
    until_there(start('/raw', lines('HTTP/1.1 403 Forbidden', 'Set-Cookie: keycloak_session=planted', 'Content-Length: 5') . 'never', %upgrade), \$text, qr/never/);
    like $text, qr{^HTTP/1\.1 403 .*\r\n\r\nnever\z}s, 'the answer arrives';
    unlike $text, qr/planted/, 'without the cookie';
};
subtest 'a tunnel whose headers do not end' => sub {
    my $text = '';
    my $long = lines(@switch, 'Set-Cookie: keycloak_session=planted');
    my $socket = start('/raw', substr($long, 0, -2) . 'X: ', %upgrade);
    eval { local $SIG{PIPE} = 'IGNORE'; for (1 .. 40) { syswrite $socket, 'x' x 8192 or last } };
    until_there($socket, \$text);
    unlike $text, qr/planted/, 'says nothing';
    is $text, '', 'at all';
    like $server->log, qr/KC0120: a backend's headers before its answer/, 'and the log says why';
};

# ---- other interim answers

my $page = lines('HTTP/1.1 103 Early Hints', 'Set-Cookie: keycloak_session=of-a-page') . "the page\n";
my $answer = lines('HTTP/1.1 200 OK', 'Content-Type: text/plain', 'Content-Length: ' . length $page, 'Set-Cookie: lang=en', 'Set-Cookie: keycloak_session=planted') . $page;

my (@rows, @no_upgrade);
my @plain = (Connection => 'close');
for my $row (map { my $status = $_; map { [$status, $_, %upgrade, Connection => 'Upgrade, close'] } qw(/public/ws /mine) } 100, 102, 103, 110, 199) {
    push @no_upgrade, [$row->[0], $row->[1] =~ s/^.public.ws$/\/public\/plain/r, @plain];
    push @rows, $row;
}
for my $row (@rows, @no_upgrade) {
    my ($status, $path, @headers) = @$row;
    {
        subtest "$status at $path" . (@headers == @plain ? ', which nobody has asked to upgrade' : '') => sub {
            my $hints = lines("HTTP/1.1 $status Before", 'Link: </style.css>; rel=preload', 'Set-Cookie: theme=dark', map { "Set-Cookie: $_" } @ours);
            {
                my $text = plain($path, $hints . $hints . $answer, Expect => '100-continue', @headers);
                like $text, qr{^HTTP/1\.1 $status .*^HTTP/1\.1 200 }ms, 'both arrive' or diag $text;
                like $text, qr/^Link: [^\r]*\r$/m, 'with the headers';
                like $text, qr/^Set-Cookie: theme=dark\r$/m, 'with the other cookie';
                like $text, qr/^Set-Cookie: lang=en\r$/m, 'with that of the answer';
                unlike $text, qr/planted/, 'without ours';
                like $text, qr/\r\n\r\n\Q$page\E\z/, 'and the page is what it was';
            }
        };
    }
}
subtest 'the connection goes on, and so does the sign-in' => sub {
    my $text = '';
    my $hints = lines('HTTP/1.1 103 Early Hints', 'Set-Cookie: keycloak_session=planted', 'Set-Cookie: theme=dark');
    my $socket = start('/public/ws/1', $hints . $answer, %upgrade);
    until_there($socket, \$text, qr/the page\n\z/);
    for my $round (2 .. 4) {
        my $say = unpack 'H*', $hints . $answer;
        my $next = '';
        print $socket "GET /public/ws/$round HTTP/1.1\r\nHost: $site.test\r\nX-Say: $say\r\n", (map { "$_: $upgrade{$_}\r\n" } sort keys %upgrade), "\r\n";
        $socket->flush;
        until_there($socket, \$next, qr/the page\n\z/);
        like $next, qr{^HTTP/1\.1 103 .*theme=dark.*^HTTP/1\.1 200 .*\Q$page\E\z}ms, 'another request' or diag $next;
        $text .= $next;
    }
    unlike $text, qr/planted/, 'no cookie of ours in any';
    my $login = '';
    print $socket "GET /x HTTP/1.1\r\nHost: $site.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n";
    $socket->flush;
    until_there($socket, \$login);
    like $login, qr{^HTTP/1\.1 302 .*^Set-Cookie: [^\r]*keycloak_login_}ms, 'and the module\'s own cookie arrives' or diag $login;
};
subtest 'the log says so, without the value' => sub {
    my @lines = grep { /KC0120: a backend sets a cookie/ } split /\n/, $server->log;
    ok scalar(@lines), 'there are lines';
    is scalar(grep { /planted/ } @lines), 0, 'none shows it';
};

# ---- odd spellings, which httpd itself lets pass with HttpProtocolOptions Unsafe, and what clears cookies

subtest 'names and values with blanks around them' => sub {
    for my $line ('Set-Cookie : keycloak_session=planted', "Set-Cookie\t: keycloak_session=planted", "Set-Cookie2 \t : keycloak_session=planted",
        "Set-Cookie: \x0bkeycloak_session\x0c=planted", "Set-Cookie: a=1;\x01keycloak_session=planted", 'Clear-Site-Data : "planted"') {
        my $text = plain('/public/plain', lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Set-Cookie: theme=dark', $line, 'Set-Cookie: lang=en') . 'hi', @plain);
        like $text, qr{^HTTP/1\.1 200 .*\r\n\r\nhi\z}s, 'the answer arrives' or diag $text;
        unlike $text, qr/planted/, "without $line" or diag $text;
        is join('|', $text =~ /^set-cookie:\s*([^\r]*)\r$/gmi), 'theme=dark|lang=en', 'and with other cookies';
    }
};
subtest 'Clear-Site-Data' => sub {
    for my $row (['"cookies"', ''], ['"*"', '"cache", "storage", "executionContexts"'], ['"cache", "cookies"', '"cache"'], ['"cache","storage"', '"cache","storage"']) {
        my ($said, $left) = @$row;
        for my $headers ([@plain], [%upgrade, Connection => 'Upgrade, close']) {
            my $say = lines('HTTP/1.1 103 Early Hints', "Clear-Site-Data: $said", 'X-Early: yes') . lines('HTTP/1.1 200 OK', 'Content-Length: 2', "Clear-Site-Data: $said") . 'hi';
            my ($early, $late) = plain(@$headers == @plain ? '/public/plain' : '/public/ws', $say, @$headers) =~ /^(HTTP.1\.1 103 .*?)\r\n\r\n(HTTP.1\.1 200 .*)/s;
            is join('|', ($late // '') =~ /^Clear-Site-Data: ([^\r]*)/mi), $left, "$said: what is left";
            like $early // '', qr/^X-Early: yes/m, 'the early answer is there';
            unlike $early // '', qr/cookies|\*/, 'and clears no cookies';
        }
    }
};

# ---- HTTP/2

subtest 'HTTP/2: trailers, and early hints' => sub {
    my $say = unpack 'H*', lines('HTTP/1.1 103 Early Hints', 'Link: </a>; rel=preload', 'Set-Cookie: keycloak_session=planted', 'Clear-Site-Data: "*"') .
        lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Set-Cookie: theme=dark') . "5\r\nhello\r\n0\r\n" .
        lines('X-Sum: 7', (map { "Set-Cookie: $_" } @ours), 'Set-Cookie2: keycloak_session=planted', 'Clear-Site-Data: "cookies"');
    for my $path ('/public/plain', '/mine') {
        open my $pipe, '-|', 'curl', '-sSi', '--http2-prior-knowledge', '--max-time', DEADLINE, '-H', "X-Say: $say", '-H', 'Cookie: ' . $in->cookie_header,
            '-H', "Host: $site.test:$ENV{KC_PORT}", "http://127.0.0.1:$ENV{KC_PORT}$path" or die "curl: $!";
        my $text = do { local $/; <$pipe> } // '';
        close $pipe;
        like $text, qr/^HTTP.2 200.*^set-cookie: theme=dark.*hello.*x-sum: 7/ms, "$path: all the rest arrives" or diag $text;
        unlike $text, qr/planted|clear-site-data/i, 'without cookies of ours';
    }
};
subtest 'a WebSocket over HTTP/2 (RFC 8441)' => sub {
    for my $path ('/public/ws', '/mine', '/tunnel', '/raw') {
        my $say = unpack 'H*', lines(@switch, 'Set-Cookie: theme=dark', map { "Set-Cookie: $_" } @ours) . 'hello';
        open my $pipe, '-|', '/usr/bin/python3', "$ENV{KC_ROOM}/t/lib/h2_websocket.py", $ENV{KC_PORT}, "$site.test", $path, 'there', "x-say:$say",
            'cookie:' . $in->cookie_header or die "python3: $!";
        my $text = do { local $/; <$pipe> } // '';
        close $pipe;
        like $text, qr/^:status: 200$/m, "$path: it is open" or diag $text;
        like $text, qr/^set-cookie: theme=dark$/m, 'with the other cookie';
        unlike $text, qr/planted/, 'without ours';
        like $text, qr/^helloTHERE$/m, 'and both directions work';
    }
};
$server->end;
unlike $server->log, qr/exit signal/, 'no child crashed';

done_testing;
