# SPDX-License-Identifier: Apache-2.0
# threats.md R 206, 215: Require lines that exclude users, when the user or the lists are not known.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

use constant SITE => 'excluding';

my $realm = realm(SITE);
my @by_role = qw(/role /client-role /none /grouped /open);
my @roles_of_id_token = ('realm_access', 'resource_access');

# A person who has signed in at the realm so changed.
sub in {
    my %change = @_;
    $realm->set(%change);
    my $browser = signed_in(SITE, path => '/name') || BAIL_OUT('nobody can sign in');
    $realm->reset;
    return $browser;
}

# What became of the places: path => status.
sub statuses { my ($browser, @paths) = @_; return { map { $_ => $browser->get($_)->status } @paths } }
sub all_of { my ($status, @paths) = @_; return { map { $_ => $status } @paths } }

my @every = (@by_role, '/group', '/claim', '/name', '/twice', '/either', '/positive', '/alias', '/pass');
subtest 'all is known: nobody is excluded' => sub {
    is_deeply statuses(in(), @every), all_of(200, @every), 'let in';
};

subtest 'somebody who is excluded' => sub {
    my $browser = in(user => { realm_access => { roles => ['user', 'suspended'] }, resource_access => { app => { roles => ['suspended'] } }, groups => ['/suspended'] });
    is_deeply statuses($browser, @by_role, '/group', '/claim'), all_of(403, @by_role, '/group', '/claim'), 'kept out';
    is $browser->get('/role')->tag, 'KC0103', 'as who is not allowed';
};

subtest 'a stranger is asked to sign in' => sub {
    for my $path (grep { $_ ne '/pass' } @every) {
        my $before = hits(SITE);
        ok asked_to_sign_in(browser(SITE)->get($path), SITE), "at $path";
        is hits(SITE), $before, 'the backend is not reached';
    }
    for my $path ('/pass', '/public') {
        my $answer = browser(SITE)->get($path);
        is $answer->status, 200, "but not at $path, which is for all";
        is scalar(headers_named($answer->json || {}, 'kubeflow-userid')), 0, 'and nobody is named';
    }
};

# The ID token has the roles only where a mapper puts them there.
my %no_roles = (id_token => { delete => [@roles_of_id_token] });
my @unknown = (    # name, change, what the log says
    ['an access token over the limit', { access_token => { set => { pad => 'x' x 110_000 } } }, qr/cannot be used: .*(?:over|long|bytes)/],
    ['a lightweight access token', { access_token => { delete => [@roles_of_id_token] } }, qr/does not tell them/],
    ['an access token without sub', { access_token => { delete => ['sub', @roles_of_id_token] } }, qr/its iss or sub is absent/],
    ['an access token of somebody else', { access_token => { set => { sub => 'x' } } }, qr/its iss or sub is absent or another one/],
    ['an access token by another key', { access_token => { key => 'other' } }, qr/cannot be used: /],
    ['an access token by a key that is not listed', { access_token => { key => 'ec', header => { alg => 'ES256' } } }, qr/cannot be used: /],
    ['an opaque access token', { token_response => { set => { access_token => 'opaque' } } }, qr/cannot be used: /],
    ['roles that are none', { access_token => { set => { realm_access => { roles => 'suspended' }, resource_access => 'suspended' } } }, qr/no names/],
);
for my $case (@unknown) {
    my ($name, $change, $why) = @$case;
    subtest "206 roles are not known: $name" => sub {
        my $mark = log_mark();
        my $id = 'sub-' . ($name =~ s/\W+/-/gr);
        my $user = { sub => $id };
        my $browser = in(%no_roles, %$change, user => $user);
        my $said = join "\n", grep { /KC0419/ } split /\n/, log_since($mark);
        is scalar(() = $said =~ /roles-unknown: not \(all\) known of sub \Q$id\E: realm roles, client roles/g), 1, 'the log says so, once' or diag $said;
        like $said, $why, 'and why';
        my $before = hits(SITE);
        is_deeply statuses($browser, @by_role, '/claim', '/twice', '/pass'), all_of(403, @by_role, '/claim', '/twice', '/pass'), 'kept out';
        is hits(SITE), $before, 'the backend is not reached';
        is $browser->get('/role')->tag, 'KC0419', 'with the reason';
        is $browser->get('/alias')->status, 500, 'an alias, which may be used either way';
        is_deeply statuses($browser, '/group', '/name', '/either', '/positive'), all_of(200, '/group', '/name', '/either', '/positive'),
            'what does not depend on them stays open';
        is scalar(() = log_since($mark) =~ /roles-unknown: not \(all\) known/g), 1, 'that was the only line of it';
        in(%no_roles, %$change, user => $user);
        is scalar(() = log_since($mark) =~ /roles-unknown: not \(all\) known/g), 1, 'nor is it said again at the next sign-in';
    };
}

subtest '206 5,001 roles' => sub {
    my @roles = map { "r$_" } 1 .. 5001;
    my $browser = in(%no_roles, access_token => { set => { realm_access => { roles => \@roles } } }, user => { sub => 'sub-realm' });
    is_deeply statuses($browser, '/role', '/none'), all_of(403, '/role', '/none'), 'of the realm: kept out';
    is $browser->get('/client-role')->status, 200, 'but not where they do not matter';
    $browser = in(%no_roles, access_token => { set => { resource_access => { app => { roles => \@roles } } } }, user => { sub => 'sub-client' });
    is_deeply statuses($browser, '/client-role', '/none'), all_of(403, '/client-role', '/none'), 'of a client: kept out';
    is $browser->get('/role')->status, 200, 'but not where they do not matter';
};

# Keycloak leaves a claim out for who has no roles of that kind, and where its mapper is not there; each has its own.
my @halves = (['realm_access', '/role', '/client-role', { realm_access => { roles => [] } }], ['resource_access', '/client-role', '/role', { resource_access => {} }]);
for my $half (@halves) {
    my ($claim, $closed, $open, $none) = @$half;
    subtest "206 a token without $claim" => sub {
        my $browser = in(%no_roles, access_token => { delete => [$claim] }, user => { sub => "sub-no-$claim" });
        is_deeply statuses($browser, $closed, '/none'), all_of(403, $closed, '/none'), 'kept out';
        is $browser->get($closed)->tag, 'KC0419', 'with the reason';
        is $browser->get($open)->status, 200, 'but not where that does not matter';
        is in(%no_roles, access_token => { set => $none }, user => { sub => "sub-empty-$claim" })->get($closed)->status, 200, 'an empty list is none';
        my $token = $realm->bearer_token(delete => [$claim]);
        is browser(SITE)->get($closed, Authorization => "Bearer $token")->status, 403, 'a bearer token alike';
    };
}

subtest '206 claims that the rule says nothing of' => sub {
    my @paths = ('/claim-equal', '/claim-less', '/included', '/macro');
    my $in = sub { my ($team, $level) = @_; return in(user => { team => $team, level => $level }) };
    is_deeply statuses($in->('red', 5), @paths), all_of(200, @paths), 'another value: let in';
    is_deeply statuses($in->('suspended', 1), @paths), all_of(403, @paths), 'the one that is excluded: kept out';
    is_deeply statuses($in->([['suspended']], 'low'), @paths), all_of(403, @paths), 'an array in an array, a text: kept out';
    is_deeply statuses($in->({ suspended => 1 }, [1]), @paths), all_of(403, @paths), 'an object, an array: kept out';
    is in(id_token => { set => { _claim_names => { team => 'there' } } })->get('/claim-equal')->status, 403, 'a claim that is elsewhere: kept out';
};

my @groups = (
    ['a comma', ['/team-a', '/a,b']], ['5,001 of them', ['/team-a', map { "/g$_" } 1 .. 5000]],
    ['a name that is none', ['/team-a', 7]], ['a space at the end', ['/team-a', '/suspended ']],
);
for my $case (@groups) {
    my ($name, $groups) = @$case;
    subtest "206 a list of groups that was cut: $name" => sub {
        my $browser = in(user => { groups => $groups, sub => 'groups-' . ($name =~ s/\W+/-/gr) });
        is_deeply statuses($browser, '/group', '/none'), all_of(403, '/group', '/none'), 'kept out';
        is_deeply statuses($browser, '/role', '/positive', '/either'), all_of(200, '/role', '/positive', '/either'), 'what is in it still counts';
    };
}
subtest 'a list of groups too long for a header is whole here' => sub {
    is in(user => { groups => ['/team-a', map { "/group-with-a-long-name-$_" } 1 .. 320] })->get('/group')->status, 200, 'let in';
};
subtest 'no groups at all' => sub {
    is in(user => { groups => [] })->get('/group')->status, 200, 'none in the list: let in';
    is in(id_token => { delete => ['groups'] }, userinfo => { set => { groups => [] } })->get('/group')->status, 200, 'none of which userinfo knows: let in';
    is in(id_token => { delete => ['groups'] }, userinfo => { delete => ['groups'] })->get('/group')->status, 403, 'nor does userinfo tell: kept out';
};

subtest '206 bearer tokens' => sub {
    my $ask = sub {
        my ($change, $path) = @_;
        my $token = $realm->bearer_token(%$change);
        return browser(SITE)->get($path, Authorization => "Bearer $token")->status;
    };
    for my $path (@by_role, '/claim') {
        is $ask->({}, $path), 200, "$path: known, let in";
        is $ask->({ delete => [@roles_of_id_token] }, $path), 403, "$path: not known, kept out";
    }
    is $ask->({ set => { groups => ['a,b'] } }, '/group'), 403, 'groups that were cut';
    is $ask->({ delete => ['groups'] }, '/group'), 403, 'groups that it does not tell';
};

done_testing;
