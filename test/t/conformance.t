# SPDX-License-Identifier: Apache-2.0
# threats.md A 1-20: the OpenID Foundation's relying-party plans (oidcc-client-test*), response_type code.
use strict;
use warnings;
use Test::More;
use JSON::PP ();
use Keycloak::Expect;
use Keycloak::World;

# Other files may have visited these realms before, and time passes: what was fetched by then does not count.
use constant METADATA_TTL => 900;    # KeycloakMetadataTTL, after which a document or key set is fetched again
my $start = time;
my ($documents, $keys) = map { fetched('conformance', $_) } qw(discovery certs);
my $asked = fetched('userinfo-on', 'userinfo');

works_ok '1 oidcc-client-test', 'conformance';
refused_ok '2 invalid-iss', 'conformance', tag => 'KC0406',
    change => { id_token => { set => { iss => "$ENV{KC_PROVIDER}/realms/other" } } };
refused_ok '3 missing-sub', 'conformance', tag => 'KC0409', change => { id_token => { delete => ['sub'] } };
refused_ok '4 invalid-aud', 'conformance', tag => 'KC0407', change => { id_token => { set => { aud => 'other' } } };
refused_ok '5 missing-iat', 'conformance', tag => 'KC0408', change => { id_token => { delete => ['iat'] } };
works_ok '6 kid-absent-single-jwks', 'kid-absent', change => { id_token => { header_delete => ['kid'] }, certs => { shape => 'no_kid' } };
refused_ok '7 kid-absent-multiple-jwks', 'kid-absent-multiple', tag => 'KC040[45]',
    change => { id_token => { header_delete => ['kid'] }, certs => { shape => 'two_no_kid' } };
works_ok '8 idtoken-sig-rs256', 'conformance', change => { id_token => { alg => 'RS256' } };
refused_ok '9 idtoken-sig-none', 'conformance', tag => 'KC040[13]', change => { id_token => { header => { alg => 'none' }, alg => 'none' } };
refused_ok '10 invalid-sig-rs256', 'conformance', tag => 'KC0405', change => { id_token => { shape => 'flipped_signature' } };
works_ok '11 scope-userinfo-claims', 'userinfo-auto', change => { id_token => { delete => ['email', 'email_verified'] } };
refused_ok '12 userinfo-invalid-sub', 'userinfo-on', tag => 'KC0310', change => { userinfo => { set => { sub => 'somebody-else' } } };
refused_ok '13 nonce-invalid', 'conformance', tag => 'KC0410', change => { id_token => { nonce_of => 'other' } };

subtest '14 client-secret-basic' => sub {
    my ($entry) = realm('conformance')->log('token');
    like Keycloak::Realm::header($entry, 'Authorization'), qr/^Basic \S+$/, 'the client\'s authentication is basic';
    is Keycloak::Realm::param($entry, 'client_secret'), undef, 'and not in the body too';
};

# How often they may have been fetched since this file began.
sub renewals { return 2 + int((time - $start) / METADATA_TTL) }

subtest '15 discovery-openid-config' => sub {
    ok fetched('conformance', 'discovery') >= 1, 'the document is fetched';
    cmp_ok fetched('conformance', 'discovery') - $documents, '<=', renewals(), 'and kept, whatever number of people signs in';
};

subtest '16 discovery-jwks-uri-keys' => sub {
    ok fetched('conformance', 'certs') >= 1, 'the keys are fetched';
    cmp_ok fetched('conformance', 'certs') - $keys, '<=', renewals(), 'and kept';
};

closed_ok '17 discovery-issuer-mismatch', 'd17-issuer-mismatch', tag => 'KC0204';

subtest '18 signing-key-rotation' => sub {
    works_ok 'with the first key', 'rotation';
    realm('rotation')->rotate;
    works_ok 'with the second', 'rotation';
};

works_ok '19 signing-key-rotation-just-before-signing', 'rotation-late', change => { rotate_at_token => JSON::PP::true() };

subtest '20 userinfo asked for when told, and only then' => sub {
    works_ok 'on', 'userinfo-on';
    is fetched('userinfo-on', 'userinfo') - $asked, 2, 'asked at each sign-in';
    works_ok 'off', 'userinfo-off';
    is fetched('userinfo-off', 'userinfo'), 0, 'never asked';
    refused_ok 'off, and the e-mail is not in the ID token', 'userinfo-off', tag => 'KC0413',
        change => { id_token => { delete => ['email'] } };
    is fetched('userinfo-off', 'userinfo'), 0, 'not even then';
    realm('userinfo-auto')->forget;
    works_ok 'auto, nothing missing', 'userinfo-auto';
    is fetched('userinfo-auto', 'userinfo'), 0, 'not asked';
    refused_ok 'auto, another sub', 'userinfo-auto', tag => 'KC0310',
        change => { id_token => { delete => ['email'] }, userinfo => { set => { sub => 'somebody-else' } } };
    refused_ok 'auto, no sub', 'userinfo-auto', tag => 'KC0310',
        change => { id_token => { delete => ['email'] }, userinfo => { delete => ['sub'] } };
    refused_ok 'auto, and userinfo\'s e-mail is not verified', 'userinfo-auto', tag => 'KC0415',
        change => { id_token => { delete => ['email', 'email_verified'] }, userinfo => { set => { email_verified => JSON::PP::false() } } };
};

done_testing;
