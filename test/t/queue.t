# SPDX-License-Identifier: Apache-2.0
# Many callbacks while the token endpoint hangs: the page that reloads itself (threats.md R 212).
use strict;
use warnings;
use IO::Select;
use Test::More;
use Keycloak::Expect;
use Keycloak::Response;
use Keycloak::Server;
use Keycloak::World;

# Of eight threads two may be at Keycloak and two may wait for them.
use constant PLACES => 2;
use constant CROWD => 7;

my $name = 'queue';
my $server = Keycloak::Server->new($name, lines => ['StartServers 1', 'MaxRequestWorkers 8', 'KeycloakHTTPTimeout 20s']);
local $ENV{KC_PORT} = $server->port;
ok wait_until(sub { browser($name)->get('/')->status == 302 }), 'the realm is known';

# Sends a callback and leaves its answer for later.
sub come_back {
    my ($browser, $back) = @_;
    my $socket = $browser->_connect;
    print $socket "GET $back HTTP/1.1\r\nHost: $name.test:$ENV{KC_PORT}\r\nAccept: text/html\r\nConnection: close\r\nCookie: "
        . $browser->cookie_header . "\r\n\r\n";
    $socket->flush;
    return $socket;
}

# A browser with two tabs, one of which has signed in since the other one began.
my $tabs = browser($name);
my $late = $tabs->authorize($tabs->start('/tab/late'));
my $began = int time;
ok wait_until(sub { int(time) > $began }), 'a second later';
is $tabs->get($tabs->authorize($tabs->start('/tab/first')))->led_to, '/tab/first', 'one tab has signed in';
realm($name)->forget;

my @people = map { my $browser = browser($name); { browser => $browser, page => "/page/$_", back => $browser->authorize($browser->start("/page/$_")) } } 1 .. CROWD;
realm($name)->set(faults => { token => { kind => 'hang' } });
$_->{socket} = come_back($_->{browser}, $_->{back}) for @people[0 .. PLACES - 1];
ok wait_until(sub { fetched($name, 'token') == PLACES }), 'all places at Keycloak are taken';
$_->{socket} = come_back($_->{browser}, $_->{back}) for @people[PLACES .. CROWD - 1];

is $tabs->get($late)->led_to, '/tab/late', 'who cannot be let in, but has a session by another tab, goes on with that';
is identity($tabs->seen('/tab/late')), 'alice@example.com', 'as the one who is signed in';

my @turned_away = @people[PLACES .. CROWD - 1];
my ($first) = IO::Select->new(map { $_->{socket} } @turned_away)->can_read(120);
ok $first, 'who is one too many is answered';
for my $person (@turned_away) {
    local $/;
    my $socket = $person->{socket};
    my $answer = Keycloak::Response->new(scalar <$socket> // '');
    subtest "who was not let in: $person->{page}" => sub {
        is $answer->status, 503, 'status 503' or diag $answer->text;
        is $answer->tag, 'KC0202', 'KC0202';
        is $answer->header('Refresh'), '2', 'the page comes again';
        like $answer->header('Retry-After'), qr/^[1-9]\d*$/, 'and programs are told when';
        is scalar($answer->all('Set-Cookie')), 0, 'no cookie changes';
    };
}
is fetched($name, 'token'), PLACES, 'none of their codes has been sent';

for my $person (@people[0 .. PLACES - 1]) {
    local $/;
    my $socket = $person->{socket};
    my $answer = Keycloak::Response->new(scalar <$socket> // '');
    is $answer->status, 503, 'whose code was sent: 503 too' or diag $answer->text;
    is $answer->header('Refresh'), undef, 'but that page stays, for a code is used once';
}

realm($name)->reset;
for my $person (@turned_away) {
    my $answer = $person->{browser}->get($person->{back});
    is $answer->led_to, $person->{page}, 'the same callback leads to its page: its state was not spent' or diag $answer->text;
    is identity($person->{browser}->seen), 'alice@example.com', 'signed in';
}
is fetched($name, 'token'), CROWD, 'each code was redeemed once';

done_testing;
