# SPDX-License-Identifier: Apache-2.0
# threats.md C: the realm's keys: changed, removed, duplicated, or made for another purpose.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Keycloak::Expect;
use Keycloak::World;

use constant PAUSE => 60;     # seconds between fetches for unknown kids

# People sign in, which works with the keys that are there, until new ones have been asked for.
sub asked_for_new_keys_ok {
    my $site = shift;
    my $before = fetched($site, 'certs');
    my %others;
    my $is_asked = wait_until(sub {
        my $answer = browser($site)->sign_in('/');
        $others{ join ' ', $answer->status, $answer->tag }++ if $answer->status != 303;
        return fetched($site, 'certs') > $before;
    });
    ok $is_asked, 'new ones are asked for';
    return is join(', ', sort keys %others), '', 'and meanwhile everybody signs in with the good keys of before';
}

subtest '62 a new kid: one more fetch, and the sign-in works' => sub {
    works_ok 'with the first key', 'keys-new';
    my $before = fetched('keys-new', 'certs');
    realm('keys-new')->rotate;
    works_ok 'with the new key', 'keys-new';
    is fetched('keys-new', 'certs') - $before, 1, 'one fetch';
    works_ok 'again', 'keys-new';
    is fetched('keys-new', 'certs') - $before, 1, 'and no further one';
};

subtest '63 random kids: one fetch, however many tokens ask' => sub {
    works_ok 'the first sign-in', 'keys-random';
    my ($before, $began) = (fetched('keys-random', 'certs'), time);
    for my $number (1 .. 25) {
        my $browser = browser('keys-random');
        realm('keys-random')->set(id_token => { header => { kid => "random-$number" } });
        my $response = $browser->sign_in('/');
        is $response->status, 401, "kid random-$number is refused";
        is $response->tag, 'KC0404', 'as an unknown key';
    }
    my $minutes = int((time - $began) / PAUSE);
    my $fetches = fetched('keys-random', 'certs') - $before;
    ok $fetches >= 1 && $fetches <= 1 + $minutes, 'one fetch, or one a minute' or diag "$fetches in $minutes minutes";
    realm('keys-random')->reset;
    works_ok 'a known kid still works', 'keys-random';
};

subtest '64 a retired key is refused after its time' => sub {
    works_ok 'while it is there', 'keys-retired';
    realm('keys-retired')->retire;
    # The new set may be on its way, and until it is there the old one is gone on with.
    realm('keys-retired')->set(id_token => { key => 'previous' });
    ok wait_until(sub { browser('keys-retired')->sign_in('/')->status == 401 }), 'when the set without it is there';
    realm('keys-retired')->reset;
    refused_ok 'a token of the old key', 'keys-retired', change => { id_token => { key => 'previous' } }, tag => 'KC0404';
    works_ok 'a token of the new key', 'keys-retired';
};

refused_ok '65 use=enc is ignored', 'c65-use-enc', tag => 'KC0(?:206|404)', status => [401, 503];
refused_ok '65 key_ops without verify is ignored', 'c65-key-ops', tag => 'KC0(?:206|404)', status => [401, 503];
refused_ok '65 oct is ignored, HS256 with it refused', 'c65-oct', tag => 'KC0(?:206|403|404)', status => [401, 503],
    change => { id_token => { key => 'client_secret', alg => 'HS256' } };
# A private key that everybody has read signs for everybody.
refused_ok '65 a key with private members is ignored', 'c65-private', tag => 'KC0(?:206|404)', status => [401, 503];
works_ok '65 all of these beside a sound key do no harm', 'c65-beside';
refused_ok '65 a key meant for another algorithm is not used', 'c65-other-alg', tag => 'KC040[345]';

subtest '66 duplicate kid: another key\'s token never passes by it' => sub {
    # Two keys of one name: refusing both and trying each are both sound; a third key is not.
    my $browser = browser('c66-duplicate');
    my $response = $browser->sign_in('/');
    like $response->status, qr/^(?:303|401)$/, 'a token of the one: a clear answer';
    refused_ok 'a token of neither key', 'c66-duplicate', tag => 'KC040[45]',
        change => { id_token => { key => 'small', header => { kid => 'c66-duplicate-1' } } };
};

works_ok '66 one key twice under its kid is one', 'c66-same';

my %bad = (
    'keys-empty'  => ['an empty set',         { certs => { shape => 'empty' } }],
    'keys-large'  => ['a set of 1 MiB',       { certs => { shape => 'one_mebibyte' } }],
    'keys-broken' => ['no JSON',              { faults => { certs => { kind => 'html' } } }],
    'keys-down'   => ['an endpoint that is down', { faults => { certs => { kind => 'drop' } } }],
);
for my $site (sort keys %bad) {
    my ($what, $change) = @{ $bad{$site} };
    subtest "67 $what: the last good keys are kept" => sub {
        works_ok 'with good keys', $site;
        realm($site)->set(%$change);
        asked_for_new_keys_ok $site;
        works_ok 'and still', $site;
        realm($site)->reset;
    };
}

subtest '67 500 keys: kept or used, but never in the way' => sub {
    works_ok 'with good keys', 'keys-many';
    realm('keys-many')->set(certs => { shape => 'five_hundred' });
    asked_for_new_keys_ok 'keys-many';
    works_ok 'with 500 keys around', 'keys-many';
    realm('keys-many')->reset;
};

closed_ok '67 an empty set at the very first', 'c67-empty', tag => 'KC0206';
closed_ok '67 a set without keys', 'c67-no-keys', tag => 'KC0(?:206|207)';
closed_ok '67 1 MiB at the very first', 'c67-large', tag => 'KC020[1267]';

subtest '68 an endpoint down: stale keys until the cap, then closed' => sub {
    works_ok 'with good keys', 'keys-gone';
    my $in = signed_in('keys-gone') or return fail 'signing in';
    realm('keys-gone')->set(faults => { certs => { kind => 'drop' }, discovery => { kind => 'drop' } });
    my ($answer, %others);
    ok wait_until(sub {
        $answer = browser('keys-gone')->sign_in('/');
        $others{ $answer->status }++ if $answer->status !~ /^(?:303|503)$/;
        return $answer->status == 503;
    }), 'the cap is reached';
    is join(' ', sort keys %others), '', 'until then sign-ins work';
    closed_ok 'after it', 'keys-gone';
    is identity($in->seen), 'alice@example.com', 'who is signed in goes on';
    realm('keys-gone')->reset;
    ok wait_until(sub { my $browser = browser('keys-gone'); $browser->sign_in('/')->status == 303 }),
        'and when it is back, sign-ins work again';
};

closed_ok '69 http jwks_uri under an https issuer', 'd69-http-jwks', tag => 'KC0205';

done_testing;
