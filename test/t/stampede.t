# SPDX-License-Identifier: Apache-2.0
# One fetch of metadata and keys for all children of a host, in the background; what an outage does to it (threats.md C 68, K 149-151).
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant CROWD => 40;

# What the realm was asked so far.
sub asked { my $name = shift; return join ' ', map { "$_ " . fetched($name, $_) } qw(discovery certs) }

sub statuses {
    my %count;
    $count{ $_->status }++ for @_;
    return join ', ', map { "$_: $count{$_}" } sort keys %count;
}

for my $mpm (qw(event worker prefork)) {
    subtest "$mpm: all children fetch once, whatever becomes of them" => sub {
        my $name = "stampede-$mpm";
        my $server = Keycloak::Server->new($name, mpm => $mpm);
        local $ENV{KC_PORT} = $server->port;
        # Who finds no metadata yet waits for them, at most a quarter of a child's threads at once: the rest is told to
        # come again.
        my @answers = $server->storm(CROWD);
        like statuses(@answers), qr/^302: \d+(?:, 503: \d+)?$/, 'a crowd at a cold start is sent to the realm';
        is scalar(grep { $_->status == 503 && !$_->header('Retry-After') } @answers), 0, 'or told to come again';
        ok wait_until(sub { browser($name)->get('/')->status == 302 }), 'metadata and keys are there';
        is statuses($server->storm(CROWD)), '302: ' . CROWD, 'and from then on all are sent to the realm';
        is asked($name), 'discovery 1 certs 1', 'for which it was asked once';
        my $in = signed_in($name) or return fail 'signing in';
        realm($name)->set(faults => { map { $_ => { kind => 'drop' } } qw(discovery certs) });
        $server->replace_children;
        is statuses($server->storm(CROWD)), '302: ' . CROWD, 'new children know what those knew that were killed';
        is identity($in->seen), 'alice@example.com', 'and who was signed in';
        $server->restart;
        is statuses($server->storm(CROWD)), '302: ' . CROWD, 'as does a new generation';
        is identity($in->seen), 'alice@example.com', 'of both';
        is asked($name), 'discovery 1 certs 1', 'and the realm was not asked again';
        $server->stop;
        unlike $server->log, qr/AH00052|AH00051|AH00045|exit signal (?!Killed)/, 'no child crashed or had to be killed at the end';
    };
}

subtest 'a killed owner of the fetch is replaced' => sub {
    my $name = 'stampede-killed';
    realm($name)->set(faults => { discovery => { kind => 'hang' } });
    my $server = Keycloak::Server->new($name, lines => ['KeycloakHTTPTimeout 1s']);
    local $ENV{KC_PORT} = $server->port;
    ok wait_until(sub { fetched($name, 'discovery') }), 'a child is at it';
    realm($name)->reset;
    kill 'KILL', $server->children;
    ok wait_until(sub { browser($name)->get('/')->status == 302 }), 'the next one goes on';
};

subtest 'fetched again without any request, once for all children' => sub {
    my $name = 'stampede-idle';
    my $server = Keycloak::Server->new($name, lines => ['KeycloakMetadataTTL 5s']);
    ok wait_until(sub { fetched($name, 'certs') >= 3 }), 'three times';
    my @times = map { $_->{time} } realm($name)->log('certs');
    cmp_ok $times[$_] - $times[$_ - 1], '>', 2, 'not by each child' for 1 .. 2;
};

my %faults = (
    'a reset connection' => 'drop', 'a black hole' => 'hang', 'one octet a second' => 'drip',
    'one octet of header a second' => 'drip_header', 'a body without end' => 'endless', 'HTML' => 'html',
);
my %cold;
for my $what (sort keys %faults) {
    my $name = "stampede-cold-$faults{$what}";
    my $all = { map { $_ => { kind => $faults{$what} } } qw(discovery certs token userinfo) };
    realm($name)->set(faults => $all);
    $cold{$what} = { name => $name, all => $all, server => Keycloak::Server->new($name, lines => ['KeycloakHTTPTimeout 5s']) };
}

for my $what (sort keys %cold) {
    my ($name, $server) = @{ $cold{$what} }{qw(name server)};
    subtest "149-151 $what from the start: closed" => sub {
        ok wait_until(sub { $server->log =~ /KC020\d: metadata and keys of \S+ cannot be fetched/ }), 'the log says so';
        my @answers = $server->storm(CROWD);
        is statuses(@answers), '503: ' . CROWD, 'sign-ins: 503';
        is scalar(grep { ($_->header('Retry-After') // '') =~ /^\d+$/ } @answers), CROWD, 'with Retry-After';
        is scalar(() = $server->log =~ /metadata and keys of \S+ cannot be fetched/g), 1, 'the log has said it once';
    };
    realm($name)->reset;
}

for my $what (sort keys %cold) {
    my ($name, $all, $server) = @{ $cold{$what} }{qw(name all server)};
    local $ENV{KC_PORT} = $server->port;
    subtest "149-151 $what is over" => sub {
        ok wait_until(sub { $server->log =~ /are fetched again/ }), 'it was asked again though nobody visited, and the log says so';
        my $in = signed_in($name) or return fail 'signing in';
        realm($name)->set(faults => $all);
        is identity($in->seen), 'alice@example.com', 'the next time, who is signed in goes on';
        is statuses($server->storm(CROWD)), '302: ' . CROWD, 'others are sent there by what is known of it';
        realm($name)->reset;
    };
}

subtest '149 a realm that is gone: httpd starts, serves and ends' => sub {
    my $name = 'stampede-end';
    realm($name)->set(faults => { discovery => { kind => 'hang' } });
    my $server = Keycloak::Server->new($name, lines => ['KeycloakHTTPTimeout 60s']);
    ok wait_until(sub { fetched($name, 'discovery') }), 'a child is at it';
    cmp_ok $server->stop, '<', 30, 'and ends before its deadline';
    unlike $server->log, qr/AH00045|AH00046|AH00052/, 'without being killed';
};

done_testing;
