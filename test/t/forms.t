# SPDX-License-Identifier: Apache-2.0
# Forms: incomplete, too long or malformed ones, and those of an operator who is authenticated by another module.
use strict;
use warnings;
use Digest::SHA qw(sha1_base64);
use IO::Socket::INET;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant { SITE => 'forms', TOLD => '/authservice/backchannel-logout', FORM => 'application/x-www-form-urlencoded' };

open my $file, '>', "$ENV{KC_ROOM}/forms-users" or die "forms-users: $!\n";
print $file 'operator:{SHA}' . sha1_base64('word') . "=\n";
close $file;
my $server = Keycloak::Server->new(SITE, lines => [
    (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(auth_basic authn_file))], places => [
    '<Location /operator>', 'AuthType Basic', 'AuthName operators', 'AuthBasicProvider file', "AuthUserFile $ENV{KC_ROOM}/forms-users",
    'Require valid-user', 'SetHandler keycloak-sessions', '</Location>']);
local $ENV{KC_PORT} = $server->port;
my $realm = realm(SITE);
my @operator = (Authorization => 'Basic b3BlcmF0b3I6d29yZA==', Accept => 'application/json');    # operator:word

sub token { return 'logout_token=' . escape($realm->logout_token(set => { sub => 'nobody' }, @_)) }

# A POST as it goes over the wire; with "closes" nothing more is sent, and the other end is told so.
sub sent {
    my ($path, $headers, $body, %options) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{KC_PORT}) or die "connect: $!\n";
    my %all = (Host => SITE . '.test', 'Content-Type' => FORM, Connection => 'close', %$headers);
    print $socket "POST $path HTTP/1.1\r\n", (map { "$_: $all{$_}\r\n" } sort keys %all), "\r\n";
    $socket->flush;
    local $SIG{PIPE} = 'IGNORE';
    for my $piece (ref $body ? @$body : $body) { print $socket $piece; $socket->flush }
    shutdown $socket, 1 if $options{closes};
    local $/;
    my $text = '';
    eval { local $SIG{ALRM} = sub { die "late\n" }; alarm 60; $text = <$socket> // ''; alarm 0; 1 } or $text = '';
    return Keycloak::Response->new($text);
}

sub refused_as {
    my ($name, $response, $why) = @_;
    return subtest $name => sub {
        is $response->status, 400, 'refused with 400' or diag $response->text;
        is +($response->json || {})->{error}, 'invalid_request', 'as the specification wants it';
        ok wait_until(sub { $server->log =~ /\[auth_keycloak:warn\].*KC\d{4}: .*$why.*\Q${\TOLD}\E/ }), 'the log says why' or diag $server->log;
    };
}

my $whole = token();
my $chunks = sub { join('', map { sprintf("%x\r\n%s\r\n", length, $_) } @_) . "0\r\n\r\n" };
my %chunked = ('Transfer-Encoding' => 'chunked');

my %good = (
    'a form'                       => sub { my $form = shift; sent(TOLD, { 'Content-Length' => length $form }, $form) },
    'with a parameter of its type' => sub { my $form = shift; sent(TOLD, { 'Content-Length' => length $form, 'Content-Type' => FORM . '; charset=utf-8' }, $form) },
    'with a type in capitals'      => sub { my $form = shift; sent(TOLD, { 'Content-Length' => length $form, 'Content-Type' => uc FORM }, $form) },
    'in a chunk'                   => sub { my $form = shift; sent(TOLD, \%chunked, $chunks->($form)) },
    'in many chunks'               => sub { my $form = shift; sent(TOLD, \%chunked, [map { sprintf "%x\r\n%s\r\n", length, $_ } unpack('(a100)*', $form), '']) },
);
for my $name (sort keys %good) {
    my $answer = $good{$name}->(token());
    is $answer->status, 200, "taken: $name" or diag $answer->text, $server->log;
}
refused_as 'one that ends before its length', sent(TOLD, { 'Content-Length' => 20 + length $whole }, $whole, closes => 1), 'the body cannot be read to its end';
refused_as 'one that ends within a chunk', sent(TOLD, \%chunked, substr($chunks->($whole), 0, 200), closes => 1), 'the body cannot be read to its end';
is sent(TOLD, \%chunked, "logout\r\n$whole\r\n0\r\n\r\n")->status, 400, 'a chunk that has no length is refused';
refused_as 'a body that is announced as too long', sent(TOLD, { 'Content-Length' => 1 << 20 }, ''), 'the body is over \d+ bytes';
refused_as 'one that turns out to be', sent(TOLD, \%chunked, $chunks->(('x' x 9000) x 80)), 'the body is over \d+ bytes';
refused_as 'no body', sent(TOLD, { 'Content-Length' => 0 }, ''), 'there is no body|logout_token';
refused_as 'no length', sent(TOLD, {}, ''), 'there is no body';
refused_as 'another type of the same length', sent(TOLD, { 'Content-Length' => length $whole, 'Content-Type' => 'application/x-www-form-urlencodex' }, $whole), 'the body is no form';
refused_as 'no type', sent(TOLD, { 'Content-Length' => length $whole, 'Content-Type' => '' }, $whole), 'the body is no form';

subtest 'an operator whom mod_auth_basic knows' => sub {
    my $alice = signed_in(SITE) or return fail 'signing in';
    is browser(SITE)->post('/operator', 'user=alice%40example.com', 'Content-Type' => FORM)->status, 401, 'nobody else is let in';
    my $list = browser(SITE)->get('/operator?user=alice%40example.com', @operator);
    is $list->status, 200, 'sees a list' or diag $list->text;
    my $form = 'user=alice%40example.com';
    my $answer = sent('/operator', { @operator, 'Content-Length' => length $form }, [map { $_ } split /(?==)/, $form]);
    is $answer->status, 200, 'ends the sessions of somebody, by a form in two pieces' or diag $answer->text;
    ok wait_until(sub { !$alice->seen }), 'who is out';
    like $server->log, qr/\[auth_keycloak:notice\].*KC0604: operator ends all sessions of the user alice\@example\.com/, 'the log says by whom';
    my $ended = sent('/operator', { @operator, 'Content-Length' => 50 }, 'user=', closes => 1);
    is $ended->status, 400, 'a form that is not whole is refused' or diag $ended->text;
    my $mine = signed_in(SITE) or return fail 'signing in';
    is $mine->request('POST', '/operator', body => $form, headers => ['Content-Type' => FORM, Accept => 'application/json'])->status, 401, 'a session of alice\'s own is no operator\'s';
};

done_testing;
