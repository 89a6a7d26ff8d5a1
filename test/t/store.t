# SPDX-License-Identifier: Apache-2.0
# threats.md J seen from outside: what memcached has, and what happens when its values are changed.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Memcached;
use Keycloak::World;

my $SITE = 'memcached';
my $store = Keycloak::Memcached->new;
works_ok 'sessions in memcached work', $SITE;

# A browser that is signed in, the key of its session, its value and flags.
sub session_in_store {
    my %before = map { $_ => 1 } $store->keys;
    my $browser = signed_in($SITE) or return;
    my @new = grep { !$before{$_} } $store->keys;
    # Beside the session there is the mark that its sign-in is spent, which is short.
    my ($key) = sort { length(($store->get($b))[0]) <=> length(($store->get($a))[0]) } @new;
    return ($browser, $key, $store->get($key));
}

my ($browser, $key, $value, $flags) = session_in_store();
die "no session in memcached\n" if !defined $value;

sub out_ok {
    my $name = shift;
    my $before = hits($SITE);
    my $response = browser($SITE)->get('/x', Cookie => $browser->cookie_header);
    ok asked_to_sign_in($response, $SITE), $name or diag $response->text;
    return is hits($SITE), $before, 'the backend is not reached';
}

sub in_ok { return is identity($browser->seen), 'alice@example.com', shift }

subtest 'what memcached holds shows neither e-mail nor token in the clear' => sub {
    my ($answer) = map { $_->{answer} } (realm($SITE)->log('token'))[-1];
    my @secrets = ('alice', 'example.com', 'Alice Example', 'team-a', '5b0a2c1e', 'eyJ', $browser->session, $ENV{KC_PROVIDER},
        map { split /\./ } grep { defined && !ref } @{$answer}{qw(id_token access_token refresh_token)});
    for my $name ($store->keys) {
        my ($held) = $store->get($name);
        for my $secret (@secrets) {
            ok index("$name $held", $secret) < 0, 'a secret is not there' or diag "$secret in $name";
        }
    }
};

subtest '136 keys are made by us: hex, whatever a client sends' => sub {
    like $_, qr/^[A-Za-z_:.-]{0,16}[0-9a-f]{64}$/, 'hex' for $store->keys;
    my @before = $store->keys;
    for my $id ("A\tB" . 'A' x 40, 'A' x 42 . ' ', "flush_all" . 'A' x 34, "x set a 0 0 1 x" . 'A' x 28, 'A' x 43) {
        browser($SITE)->get('/x', Cookie => "keycloak_session=$id");
    }
    is_deeply [$store->keys], \@before, 'and no request of a stranger leaves one behind';
    in_ok 'the session is still there';
};

subtest '132 any octet of the value flipped' => sub {
    my $length = length $value;
    my @places = grep { $_ < 40 || $_ >= $length - 24 || $_ % 37 == 0 } 0 .. $length - 1;
    my $in = 0;
    my $before = hits($SITE);
    for my $place (@places) {
        my $spoilt = $value;
        substr($spoilt, $place, 1) ^= chr(1 << $place % 8);
        $store->set($key, $spoilt, $flags);
        $in++ if !asked_to_sign_in(browser($SITE)->get('/x', Cookie => $browser->cookie_header), $SITE);
    }
    is $in, 0, 'each is a session that is not there, ' . @places . ' places';
    is hits($SITE), $before, 'the backend is not reached';
    $store->set($key, $value, $flags);
    in_ok 'the true value is';
};

subtest '133 truncated and lengthened values' => sub {
    my $length = length $value;
    for my $size (0 .. 20, 33, 64, int($length / 2), $length - 17, $length - 16, $length - 1) {
        $store->set($key, substr($value, 0, $size), $flags);
        out_ok "$size of $length octets";
    }
    $store->set($key, "${value}x", $flags);
    out_ok 'one octet more';
    $store->set($key, $value, $flags);
    in_ok 'the true value still works';
};

subtest '134 the values of two sessions swapped' => sub {
    realm($SITE)->set(user => { sub => 'b', email => 'bob@example.com' });
    my ($other, $other_key, $other_value, $other_flags) = session_in_store();
    realm($SITE)->reset;
    is identity($other->seen), 'bob@example.com', 'bob is in';
    $store->set($key, $other_value, $other_flags);
    $store->set($other_key, $value, $flags);
    out_ok 'alice does not become bob';
    ok asked_to_sign_in(browser($SITE)->get('/x', Cookie => $other->cookie_header), $SITE), 'nor bob alice';
    $store->set($key, $value, $flags);
    $store->set($other_key, $other_value, $other_flags);
    in_ok 'each again';
};

subtest '135 an old value put back after logout' => sub {
    my ($leaver, $old_key, $old_value, $old_flags) = session_in_store();
    my $cookie = $leaver->cookie_header;
    is identity($leaver->seen), 'alice@example.com', 'in';
    $leaver->get('/authservice/logout');
    $store->set($old_key, $old_value, $old_flags);
    my $before = hits($SITE);
    ok !browser($SITE)->get('/x', Cookie => $cookie)->from_backend, 'stays out';
    is hits($SITE), $before, 'the backend is not reached';
};

subtest '137 an unknown version or key id is a session that is not there' => sub {
    for my $place (0 .. 15) {
        for my $octet (0, 255) {
            my $spoilt = $value;
            next if ord(substr $spoilt, $place, 1) == $octet;
            substr($spoilt, $place, 1) = chr $octet;
            $store->set($key, $spoilt, $flags);
            out_ok "octet $place is $octet";
        }
    }
    $store->set($key, $value, $flags);
    in_ok 'the true value still works';
};

subtest '138 a value of nearly 1 MB' => sub {
    $store->set($key, 'x' x 1_000_000, $flags);
    out_ok 'is a session that is not there';
    $store->set($key, $value . 'x' x 1_000_000, $flags);
    out_ok 'with a true one at its head too';
    $store->set($key, $value, $flags);
    in_ok 'the true value still works';
};

subtest '144 an evicted session: one sign-in' => sub {
    my ($lost, $lost_key) = session_in_store();
    $store->delete($lost_key);
    my $response = $lost->sign_in('/again');
    is $response->status, 303, 'signs in again';
    is $response->led_to, '/again', 'and arrives';
    is identity($lost->seen), 'alice@example.com', 'as before';
};

subtest 'a store that is down: 503, neither a sign-in nor an open door' => sub {
    my $site = 'memcached-down';
    my $before = hits($site);
    my $response = browser($site)->get('/x', Cookie => 'keycloak_session=' . 'A' x 43);
    is $response->status, 503, 'with a cookie: 503' or diag $response->text;
    is $response->tag, 'KC0501', 'KC0501';
    like $response->header('Retry-After') // '', qr/^\d+$/, 'Retry-After';
    is scalar(grep { /keycloak_session=/ } $response->all('Set-Cookie')), 0, 'the cookie is left alone';
    my $api = browser($site)->api('/x', Cookie => 'keycloak_session=' . 'A' x 43);
    is $api->status, 503, 'a script gets 503 too';
    my $end = browser($site)->sign_in('/x');
    is $end->status, 503, 'a sign-in cannot end: 503' or diag $end->text;
    is scalar($end->session_cookies), 0, 'without a session';
    is hits($site), $before, 'the backend is not reached';
};

done_testing;
