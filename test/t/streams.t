# SPDX-License-Identifier: Apache-2.0
# WebSockets and endless responses: closed when the session that opened them ends, and only then.
use strict;
use warnings;
use Test::More;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2 qw(open2);
use Time::HiRes qw(sleep);
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant DEADLINE => 60;    # seconds that anything may take

# ---- a backend: /ws sends back in capitals what it gets, all else brings a line now and then, and counts what it got;
# which requests have come stands in a file

my $listening = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "no port: $!\n";
my $port = $listening->sockport;
my $come = "$ENV{KC_ROOM}/t/logs/streams_come";

sub serve {
    my $socket = shift;
    my $head = '';
    while ($head !~ /\r\n\r\n/) { sysread $socket, $head, 65536, length $head or return }
    my $got = length((split /\r\n\r\n/, $head, 2)[1]);
    if ($head =~ m{^GET /ws}) {
        syswrite $socket, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        while (sysread $socket, my $text, 65536) { syswrite $socket, uc $text or return }
        return;
    }
    open my $file, '>>', $come;
    print $file $head =~ /^(.*?) HTTP/, "\n";
    close $file;
    syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    my $select = IO::Select->new($socket);
    while (1) {
        if ($select->can_read(0.05)) { $got += sysread($socket, my $text, 65536) || return }
        syswrite $socket, "got $got\n" or return;
    }
}

my $backend = fork // die "fork: $!\n";
if (!$backend) {
    $SIG{PIPE} = $SIG{CHLD} = 'IGNORE';
    while (1) {
        my $socket = $listening->accept or next;
        my $pid = fork // 0;
        if (!$pid) { close $listening; alarm 20 * DEADLINE; serve($socket); require POSIX; POSIX::_exit(0) }
        close $socket;
    }
}
close $listening;
END { local $?; if ($backend) { kill 'KILL', $backend; waitpid $backend, 0 } }
$SIG{PIPE} = 'IGNORE';

sub server {
    my ($name, %options) = @_;
    return Keycloak::Server->new($name, mpm => $options{mpm} // 'event', lines => [
        ($options{mpm} // '') eq 'prefork' ? () : ("LoadModule http2_module $ENV{KC_MODULES}/mod_http2.so", 'Protocols h2c http/1.1'),
        'KeycloakHTTPTimeout 20s', 'Timeout 300', @{ $options{lines} || [] }, "ProxyPass /ws http://127.0.0.1:$port/ws upgrade=websocket disablereuse=on",
        "ProxyPass /lines http://127.0.0.1:$port/lines disablereuse=on flushpackets=on"]);
}

# ---- clients

# until_there(SOCKET, \TEXT, WANTED): reads until the text is like that, without WANTED until the end; true when it is.
sub until_there {
    my ($socket, $text, $wanted) = @_;
    my $select = IO::Select->new($socket);
    my $end = time + DEADLINE;
    while (!defined $wanted || $$text !~ $wanted) {
        return 0 if time > $end;
        next if !$select->can_read(1);
        sysread $socket, $$text, 65536, length $$text or return !defined $wanted;
    }
    return 1;
}

sub opened {
    my ($browser, $path, @headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}) or die "connect: $!\n";
    print $socket join "\r\n", "GET $path HTTP/1.1", "Host: $browser->{host}:$ENV{KC_PORT}", 'Cookie: ' . $browser->cookie_header, @headers, '', '';
    $socket->flush;
    return bless { socket => $socket, text => '', count => 0 }, 'Client';
}

sub web_socket {
    my $browser = shift;
    my $client = opened($browser, '/ws', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
    until_there($client->{socket}, \$client->{text}, qr/\r\n\r\n/);
    is substr($client->{text}, 0, 12), 'HTTP/1.1 101', 'a WebSocket is open' or diag $client->{text};
    return $client;
}

sub long_response {
    my $client = opened(shift, '/lines');
    ok until_there($client->{socket}, \$client->{text}, qr/^got 0/m), 'a response has begun' or diag $client->{text};
    return $client;
}

sub Client::has_ended { my $self = shift; return main::until_there($self->{socket}, \$self->{text}) }

# Whether a WebSocket works in both directions.
sub Client::works {
    my $self = shift;
    my $word = 'round-' . ++$self->{count};
    syswrite $self->{socket}, $word;
    return main::until_there($self->{socket}, \$self->{text}, qr/\U$word\E/);
}

sub Client::leave { close shift->{socket}; return }

sub sign_out { my $browser = shift; return ok $browser->get('/authservice/logout')->status =~ /^30[23]$/, 'she signs out' }

# Somebody's session, with tokens that last so long; the realm goes on giving such tokens of this person.
sub person {
    my ($site, $name, %options) = @_;
    realm($site)->reset->set(user => { sub => "sub-of-$name", email => "$name\@example.com" }, lifetime => $options{lifetime} // 3000);
    return signed_in($site, %options) || die "$name cannot sign in\n";
}

sub refreshes {
    my $name = shift;
    return scalar grep { grep { "@$_" eq 'grant_type refresh_token' } @{ $_->{params} } } realm($name)->log('token');
}

sub log_has { my ($server, $wanted) = @_; return wait_until(sub { $server->log =~ $wanted }) }

# ---- ends

my $site = 'streams';
my $server = server($site);
local $ENV{KC_PORT} = $server->port;
my $bob = person($site, 'bob');
my $bobs = web_socket($bob);

subtest 'signing out closes what was opened with the session, and nothing else' => sub {
    my ($alice, $elsewhere) = map { person($site, 'alice') } 1 .. 2;
    my @closed = (web_socket($alice), long_response($alice), web_socket($alice));
    my $other = web_socket($elsewhere);
    ok $closed[0]->works, 'it works';
    sign_out($alice);
    ok $_->has_ended, 'one is closed' for @closed;
    ok $other->works, 'that of another session of hers goes on';
    ok $bobs->works, 'and bob\'s';
    my $told = sub { join ' ', sort $server->log =~ m{\[auth_keycloak:info\].*KC0109: (\S+) is closed, because the session of alice\@example\.com has ended}g };
    ok wait_until(sub { $told->() eq '/lines /ws /ws' }), 'the log tells of each, with its path' or diag $told->();
    is index($server->log, $alice->cookie_header), -1, 'and without the cookie';
    $other->leave;
};

subtest 'who leaves first is not spoken of' => sub {
    my $alice = person($site, 'alice');
    my ($first, $last) = (web_socket($alice), web_socket($alice));
    my $before = () = $server->log =~ /is closed/g;
    $first->leave;
    sign_out($alice);
    ok $last->has_ended, 'the other is closed';
    wait_until(sub { (my $now = () = $server->log =~ /is closed/g) > $before });
    is scalar(() = $server->log =~ /is closed/g), $before + 1, 'that alone is in the log';
};

# ---- HTTP/2

package Http2 {
    use Keycloak::World;

    sub new {
        my $self = bless { text => '' }, shift;
        $self->{pid} = IPC::Open2::open2($self->{out}, $self->{in}, '/usr/bin/python3', "$ENV{KC_ROOM}/t/lib/h2_streams.py", $ENV{KC_PORT}, shift);
        return $self;
    }
    sub say { my ($self, @words) = @_; print { $self->{in} } "@words\n"; $self->{in}->flush; return }
    sub has { my ($self, $wanted) = @_; return main::until_there($self->{out}, \$self->{text}, $wanted) }
    # What is there now.
    sub read_on { my $self = shift; sysread $self->{out}, $self->{text}, 65536, length $self->{text} while IO::Select->new($self->{out})->can_read(0); return }
    # What comes from now on has this.
    sub goes_on { my ($self, $wanted) = @_; $self->{text} = ''; return $self->has($wanted) }
    sub leave { my $self = shift; close $self->{$_} for qw(in out); waitpid $self->{pid}, 0; return }
}

subtest 'one connection of HTTP/2, two people: a response ends, the other goes on' => sub {
    my $alice = person($site, 'alice');
    my $wire = Http2->new("$site.test");
    $wire->say('open GET /lines', $_->cookie_header) for $alice, $bob;
    ok $wire->has(qr/^1 data got 0/m) && $wire->has(qr/^3 data got 0/m), 'both have begun' or diag $wire->{text};
    sign_out($alice);
    ok $wire->has(qr/^1 (?:reset|end)$/m), 'hers has ended' or diag $wire->{text};
    ok $wire->goes_on(qr/^3 data got 0/m), 'his goes on' or diag $wire->{text};
    unlike $wire->{text}, qr/^1 data|^gone|^3 (?:reset|end)/m, 'nothing more of hers';
    $wire->say('open GET /lines', $bob->cookie_header);
    ok $wire->goes_on(qr/^5 data got 0/m), 'and the connection takes new requests';
    $wire->say('open GET /lines', $alice->cookie_header);
    ok $wire->goes_on(qr/^7 status 302/m), 'of hers too, to which one has to sign in';
    $wire->leave;
};

subtest 'one connection of HTTP/2: an upload ends' => sub {
    my $alice = person($site, 'alice');
    my $wire = Http2->new("$site.test");
    $wire->say("open POST /lines/$_->[0]", $_->[1]->cookie_header) for [alice => $alice], [bob => $bob];
    $wire->say("data $_", 'x' x 9_000) for 1, 1, 3, 3;    # mod_proxy waits for the first 16 KiB
    for my $name (qw(alice bob)) {
        ok wait_until(sub { open my $file, '<', $come or return; grep { /^POST \/lines\/$name$/ } <$file> }), "$name\'s has begun";
    }
    sign_out($alice);
    ok wait_until(sub { $wire->say("data $_ more") for 1, 3; $wire->read_on; $wire->{text} =~ /^1 (?:reset|end)$/m }), 'hers has ended' or diag $wire->{text};
    unlike $wire->{text}, qr/^1 data|^gone|^3 (?:reset|end)/m, 'without an answer of the backend';
    $wire->say('last 3 end');
    ok $wire->has(qr/^3 data got (?!0)/m), 'his comes to its end' or diag $wire->{text};
    $wire->leave;
};

# ---- another sign-in in the same browser

# In another tab somebody signs in, whom the realm knows now.
sub another_tab {
    my ($browser, %user) = @_;
    realm($site)->set(user => \%user, lifetime => 3000);
    my $tab = browser($site);
    my $back = $tab->authorize($tab->start('/tab'));
    $browser->jar->{$_} = $tab->jar->{$_} for $tab->login_names;
    return is $browser->get($back)->status, 303, "$user{email} signs in in another tab";
}

# By then all streams have been looked at, after what has happened so far. The person is signed in already: the realm
# renews everybody's tokens as those of who it was told last.
sub all_are_looked_at {
    my $last = shift;
    my $client = web_socket($last);
    sign_out($last);
    return ok $client->has_ended, 'all have been looked at';
}

my %carol = (sub => 'sub-of-carol', email => 'carol@example.com');
for my $quick (0, 1) {
    subtest 'the same person at the same session of the realm: all goes on, until the sign-out' . ($quick ? ', also over renewals' : '') => sub {
        my @others = map { person($site, 'last') } 1 .. 2;
        realm($site)->reset->set(user => { %carol, sid => "one-$quick" }, lifetime => $quick ? 1 : 3000);
        my $carol = signed_in($site) or return fail 'signing in';
        my ($before, $cookie) = (refreshes($site), $carol->cookie_header);
        my @open = (web_socket($carol), long_response($carol));
        my $wire = Http2->new("$site.test");
        $wire->say('open GET /lines', $cookie);
        ok $wire->has(qr/^1 data got 0/m), 'and one by HTTP/2';
        another_tab($carol, %carol, sid => "one-$quick");
        isnt $carol->cookie_header, $cookie, 'with a session of its own';
        push @open, web_socket($carol), long_response($carol);
        ok wait_until(sub { refreshes($site) > $before }), 'the tokens of the first tab are renewed' if $quick;
        all_are_looked_at($_) for @others;
        ok $open[$_]->works, 'a WebSocket goes on' for 0, 2;
        for my $client (@open[1, 3]) {
            $client->{text} = '';
            ok until_there($client->{socket}, \$client->{text}, qr/(?:^got 0\n.*?){4}/ms), 'a download goes on';
        }
        ok $wire->goes_on(qr/^1 data got 0/m), 'by HTTP/2 as well';
        unlike $wire->{text}, qr/^1 (?:reset|end)/m, 'which was not reset';
        sign_out($carol);
        ok $_->has_ended, 'closed with the sign-out, whichever tab has opened it' for @open;
        ok $wire->has(qr/^1 (?:reset|end)$/m), 'by HTTP/2 as well';
        $wire->leave;
    };
}

for my $row (['another person', sub => 'sub-of-dave', email => 'dave@example.com', sid => 'of-dave'], ['another session of the realm', %carol, sid => 'three']) {
    my ($what, %user) = @$row;
    subtest "$what: what was open before is closed" => sub {
        realm($site)->reset->set(user => { %carol, sid => "before-$user{sid}" }, lifetime => 3000);
        my $browser = signed_in($site) or return fail 'signing in';
        my @before = (web_socket($browser), long_response($browser));
        my $told = () = $server->log =~ /KC0109: \S+ is closed, because the session of carol\@example\.com has ended/g;
        another_tab($browser, %user);
        my @after = (web_socket($browser), long_response($browser));
        ok $_->has_ended, 'it is' for @before;
        ok wait_until(sub { (my $now = () = $server->log =~ /KC0109: \S+ is closed, because the session of carol\@example\.com has ended/g) >= $told + 2 }),
            'the log says whose' or diag $server->log;
        ok $after[0]->works, 'what was opened since goes on';
        sign_out($browser);
        ok $_->has_ended, 'until the sign-out' for @after;
    };
}

# ---- tokens

subtest 'while nothing else is open, tokens are renewed' => sub {
    my $alice = person($site, 'alice', lifetime => 1);
    my ($before, $client) = (refreshes($site), web_socket($alice));
    ok wait_until(sub { refreshes($site) > $before + 1 }), 'they are, again and again';
    ok $client->works, 'and it goes on';
    sign_out($alice);
    ok $client->has_ended, 'until she signs out';
};

subtest 'a provider that cannot do it closes nothing' => sub {
    my $alice = person($site, 'alice', lifetime => 1);
    my $client = web_socket($alice);
    realm($site)->set(faults => { token => { kind => 'status', status => 500, early => 1 } });
    ok log_has($server, qr/\[auth_keycloak:warn\].*KC02\d\d: the session of alice\@example\.com goes on although its tokens could not be renewed/),
        'the log says so' or diag $server->log;
    ok $client->works, 'it goes on';
    realm($site)->reset;
    my $before = refreshes($site);
    sign_out($alice);
    ok $client->has_ended, 'and ends with the session';
};

subtest 'whom the provider does not renew loses it' => sub {
    my $alice = person($site, 'alice', lifetime => 1);
    my $client = web_socket($alice);
    realm($site)->set(faults => { token => { kind => 'status', status => 400, body => '{"error":"invalid_grant"}' } });
    ok $client->has_ended, 'it is closed';
    ok log_has($server, qr/KC0311: \/ws is closed, because the session of alice\@example\.com has ended/), 'the log says why';
    realm($site)->reset;
    ok $bobs->works, 'bob\'s goes on';
};

subtest 'while the provider takes its time' => sub {
    # on one connection, so that one thread looks after all of them
    my @people = map { person($site, 'alice', lifetime => 2) } 1 .. 3;
    my $wire = Http2->new("$site.test");
    $wire->say('open GET /lines', $_->cookie_header) for @people;
    ok $wire->has(qr/^$_ data got 0/m), "response $_ has begun" or diag $wire->{text} for 1, 3, 5;
    my $before = refreshes($site);
    realm($site)->set(faults => { token => { kind => 'late', seconds => 2 } }, lifetime => 300);
    ok wait_until(sub { refreshes($site) > $before }), 'one renewal is under way';
    $wire->say('drop 1');
    $wire->say('open GET /lines', $bob->cookie_header);
    ok $wire->goes_on(qr/^7 data got 0/m), 'a new response begins';
    ok $wire->goes_on(qr/^5 data got 0/m), 'what is there goes on';
    ok wait_until(sub { $wire->read_on; refreshes($site) >= $before + 2 }), 'the others are renewed in their turn';
    ok $wire->goes_on(qr/^$_ data got 0/m), "response $_ goes on" for 3, 5, 7;
    realm($site)->reset;
    sign_out($people[1]);
    ok $wire->has(qr/^3 (?:reset|end)$/m), 'until one signs out' or diag $wire->{text};
    ok $wire->goes_on(qr/^$_ data got 0/m), "which ends nothing else: $_" for 5, 7;
    $wire->leave;
    ok $bobs->works, 'bob\'s goes on';
};

# ---- restart, stop

subtest 'the child of before a graceful restart goes on looking' => sub {
    my $alice = person($site, 'alice');
    my $client = web_socket($alice);
    $server->restart(lingers => 1);
    ok $client->works, 'the WebSocket goes on';
    sign_out($alice);
    ok $client->has_ended, 'and is closed when she signs out';
    ok $bobs->works, 'bob\'s goes on';
};
subtest 'who stays is closed when httpd ends' => sub {
    # event does not end a WebSocket itself, but kills the child that has it
    $bobs->leave;
    my $client = long_response(person($site, 'alice', lifetime => 2));
    my $before = refreshes($site);
    realm($site)->set(faults => { token => { kind => 'hang' } });
    ok wait_until(sub { refreshes($site) > $before }), 'a renewal is under way, which has no answer';
    $server->stop;
    ok $client->has_ended, 'it is';
    unlike $server->log, qr/SIGKILL|exit signal/, 'no child has to be killed' or diag $server->log;
    realm($site)->reset;
};

# ---- prefork, and a host where streams are left open

subtest 'prefork, two hosts, of which one leaves them open' => sub {
    my $name = 'streams-prefork';
    my @hosts = map { my ($host, @lines) = @$_; ('<VirtualHost *:*>', "ServerName $host.test", @lines, '</VirtualHost>') }
        [$name], ['streams-open', 'KeycloakCloseStreams off'];
    my $other = server($name, mpm => 'prefork', lines => \@hosts);
    local $ENV{KC_PORT} = $other->port;
    my $kept = browser('streams-open');
    is $kept->sign_in('/')->status, 303, 'she signs in there';
    my $open = web_socket($kept);
    sign_out($kept);
    my $alice = person($name, 'alice');
    my $client = web_socket($alice);
    sign_out($alice);
    ok $client->has_ended, 'what she opened at the one is closed';
    ok $open->works, 'and not at the other';
    my $last = web_socket(person($name, 'alice'));
    $other->stop;
    ok $last->has_ended, 'when httpd ends, it is';
    unlike $other->log, qr/SIGKILL|exit signal/, 'and no child has to be killed' or diag $other->log;
};

done_testing;
