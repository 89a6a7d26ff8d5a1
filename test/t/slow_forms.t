# SPDX-License-Identifier: Apache-2.0
# Bodies that never end do not block others that send theirs: the provider, an operator, a user.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use Keycloak::Expect;
use Keycloak::World;

use constant { SITE => 'sessions', FORM => 'application/x-www-form-urlencoded', LONG => 1000 };

my $TOLD = '/authservice/backchannel-logout';
my @json = (Accept => 'application/json', 'Content-Type' => FORM);
my @slow;

sub become {
    my ($sub, @roles) = @_;
    realm(SITE)->reset->set(user => { sub => $sub, email => "$sub\@example.com", email_verified => JSON::PP::true, realm_access => { roles => [@roles] } });
    return signed_in(SITE) || BAIL_OUT('nobody can sign in');
}

# A form that is announced: with the first octet of its body, or this.
sub announce {
    my ($path, $length, $start, %headers) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}, Timeout => 20) or die "connect: $!\n";
    local $SIG{PIPE} = 'IGNORE';
    print $socket "POST $path HTTP/1.1\r\nHost: ${\SITE}.test\r\nContent-Type: ${\FORM}\r\nContent-Length: $length\r\n",
        (map { "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n", $start // 'x';
    $socket->flush;
    return $socket;
}

# One octet more of each, as far as they are still there.
sub drip {
    local $SIG{PIPE} = 'IGNORE';
    for my $socket (@slow) { print $socket 'x'; $socket->flush }
    return;
}

sub answer_of {
    my $socket = shift;
    local $/;
    my ($text, $select) = ('', IO::Select->new($socket));
    while ($select->can_read(20) && sysread $socket, my $more, 65536) { $text .= $more }
    return Keycloak::Response->new($text);
}

sub token { return 'logout_token=' . escape(realm(SITE)->logout_token(set => { sub => shift })) }

my $boss = become('slow-boss', 'admin');
my $worker = become('slow-worker', 'user');
my $cookie = $worker->cookie_header;

for my $path ($TOLD, '/authservice/login') {
    for my $crowd (8, 64) {
        subtest "$crowd slow forms at $path" => sub {
            @slow = map { announce($path, LONG) } 1 .. $crowd;
            for my $round (1 .. 5) {
                drip();
                is browser(SITE)->post($TOLD, token('nobody'), 'Content-Type' => FORM)->status, 200, 'the provider is heard';
                is $boss->post('/operator', 'user=nobody%40example.com', @json)->status, 200, 'the operator is served';
                is $worker->post('/authservice/sessions', 'end=' . 'f' x 16, @json)->status, 200, 'a person is served';
            }
            my ($body, @late) = (token('nobody'), 0);
            @late = map { announce(@$_) } [$TOLD, length $body, ''],
                ['/authservice/sessions', 20, 'end=', Cookie => $cookie, Accept => 'application/json'];
            drip();
            print { $late[0] } $body;
            print { $late[1] } 'f' x 16;
            $_->flush for @late;
            is answer_of($late[0])->status, 200, 'the provider, in two pieces';
            is answer_of($late[1])->status, 200, 'a person, in two pieces';
            close $_ for @slow;
        };
    }
}

subtest 'who is slow while others come is told so' => sub {
    my $mark = log_mark();
    @slow = map { announce($TOLD, LONG) } 1 .. 32;
    my %seen;
    my $select = IO::Select->new(@slow);
    while ($select->count) {
        my @ready = $select->can_read(20) or last;
        for my $socket (@ready) {
            $seen{ answer_of($socket)->status }++;
            $select->remove($socket);
        }
    }
    is $seen{503} + $seen{400}, 32, 'all of them have an answer';
    cmp_ok $seen{503}, '>=', 1, 'busy';
    cmp_ok $seen{400}, '>=', 1, 'and those that nobody came after, that they are too slow';
    like log_since($mark), qr/KC0116/, 'the log says so';
    like log_since($mark), qr/not complete after 5 seconds/, 'and for how long a body is waited for';
};

done_testing;
