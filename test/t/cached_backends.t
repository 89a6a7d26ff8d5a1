# SPDX-License-Identifier: Apache-2.0
# threats.md 199: backends that speak FastCGI and AJP behind mod_cache, also with the settings that store more than they should.
# (mod_cache_socache stores none of their answers, which have no length in httpd's eyes.)
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Ports;
use Keycloak::Server;
use Keycloak::World;

my ($fcgi, $ajp) = free_ports(2);
my $backends = open(my $pipe, '-|', '/usr/bin/python3', "$ENV{KC_ROOM}/t/lib/cgi_like_backends.py", $fcgi, $ajp) || die "python3: $!\n";
<$pipe> // die "no backends\n";
END { local $?; kill 'KILL', $backends if $backends }    # and its pipe is closed behind that

my $number = 0;
sub path { my ($path, @lines) = @_; $number++; return "$path?n=$number&" . join '&', map { 'h=' . escape($_) } @lines }
sub who { my $response = shift; return $response->body =~ /for <([^>]*)>/ ? $1 : '(nobody)' }
sub is_hit { my $response = shift; return ($response->header('X-Cache') // '') =~ /HIT/ }

my %settings = (
    usual => [],
    hard => ['CacheStorePrivate On', 'CacheStoreNoStore On', 'CacheIgnoreCacheControl On', 'CacheIgnoreNoLastMod On', 'CacheStoreExpired On',
        'CacheIgnoreHeaders Set-Cookie'],
);

# What a backend may say of a page that is for one person.
my @kinds = (
    ['nothing'], ['max-age', 'Cache-Control: max-age=60'], ['an ETag', 'Cache-Control: max-age=0', 'ETag: "a"'], ['a Vary', 'Cache-Control: max-age=60', 'Vary: kubeflow-userid'],
    ['a Vary of nothing that is sent', 'Cache-Control: max-age=60', 'Vary: X-None'], ['private', 'Cache-Control: private, max-age=60'],
    ['no-store', 'Cache-Control: no-store, max-age=60'], ['Expires', 'Expires: Fri, 01 Jan 2100 00:00:00 GMT'],
);

for my $quick (qw(on off)) { for my $setting (sort keys %settings) {
    my $site = "cached-backends-$quick-$setting";
    my $cache = "$ENV{KC_ROOM}/$site-cache";
    mkdir $cache;
    my $server = Keycloak::Server->new($site, lines => [
        (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(cache cache_disk proxy_fcgi proxy_ajp)),
        "CacheRoot $cache", "CacheQuickHandler $quick", 'CacheHeader On', 'KeycloakPublicPath /public', 'CacheEnable disk /', @{ $settings{$setting} },
        (map { ("ProxyPass $_/fcgi fcgi://127.0.0.1:$fcgi", "ProxyPass $_/ajp ajp://127.0.0.1:$ajp") } '', '/public')]);
    local $ENV{KC_PORT} = $server->port;
    realm($site)->set(user => { email => 'bob@example.com' });
    my $bob = signed_in($site, path => '/fcgi/in') or die "bob cannot sign in\n";
    realm($site)->reset;
    my $alice = signed_in($site, path => '/fcgi/in') or die "alice cannot sign in\n";
    my $alone_ok = sub {
        my ($path, $name) = @_;
        is who($bob->get($path)), 'bob@example.com', "$name: bob gets his own";
        is who($alice->get($path)), 'alice@example.com', 'and alice hers';
        for my $stranger (browser($site)->get($path, 'Cache-Control' => 'only-if-cached'), browser($site)->get($path, Range => 'bytes=0-3'), browser($site)->request('HEAD', $path)) {
            ok $stranger->status != 200 && $stranger->status != 206 && $stranger->status != 304, 'a stranger none' or diag $stranger->text;
            unlike $stranger->body, qr/(?:alice|bob)\@/, 'and nothing of it';
        }
    };
    for my $place (qw(/fcgi /ajp)) {
        subtest "quick handler $quick, $setting settings, $place" => sub {
            for my $kind (@kinds) {
                my ($name, @lines) = @$kind;
                my $path = path("$place/page", @lines);
                is who($alice->get($path)), 'alice@example.com', "$name: alice gets her page" for 1 .. 2;
                $alone_ok->($path, $name);
                for my $header (['If-None-Match' => '"a"'], [Range => 'bytes=0-4'], ['Cache-Control' => 'no-cache']) {
                    $path = path("$place/first-with", @lines);
                    my $first = $alice->get($path, @$header);
                    like $first->status, qr/^(?:200|206|304)$/, "after $header->[0]: $header->[1]";
                    $alone_ok->($path, $name);
                }
                $path = path("$place/head", @lines);
                $alice->request('HEAD', $path) for 1 .. 2;
                $alone_ok->($path, "$name, after HEAD");
                $path = path("$place/part", @lines, 'Content-Range: bytes 0-3/40');
                $alice->get($path, Range => 'bytes=0-3') for 1 .. 2;
                is who($bob->get($path, Range => 'bytes=0-3')), 'bob@example.com', "$name: a part, which the backend cut: bob gets his";
                $alone_ok->($path, "$name, after a part");
            }
        };
        subtest "quick handler $quick, $setting settings, /public$place" => sub {
            for my $kind (['max-age', 'Cache-Control: max-age=60'], ['revalidated', 'Cache-Control: max-age=0', 'ETag: "a"'],
                ['a Vary', 'Cache-Control: max-age=60', 'Vary: kubeflow-userid']) {
                my ($name, @lines) = @$kind;
                for my $first ($alice, browser($site)) {
                    my $path = path("/public$place/page", @lines);
                    $first->get($path, 'kubeflow-userid' => 'mallory@example.com') for 1 .. 2;
                    for my $browser ($bob, browser($site), $alice) {
                        my $answer = $browser->get($path);
                        is $answer->status, 200, "$name: everybody gets it" or diag $answer->text;
                        is who($answer), '', 'nameless';
                        is is_hit($answer), 1, 'from the cache' if $name eq 'max-age';
                        $browser->get($path, 'If-None-Match' => '"a"');
                        unlike $browser->get($path, Range => 'bytes=0-30')->body, qr/(?:alice|bob|mallory)\@/, 'a part too';
                    }
                }
            }
        };
    }
    $server->end;
    unlike $server->log, qr/exit signal|AH00052/, 'no child crashed';
} }

kill 'KILL', $backends;
close $pipe;
$backends = 0;
done_testing;
