# SPDX-License-Identifier: Apache-2.0
# What the attack list expects, as assertions: works, refused, closed.
package Keycloak::Expect;
use strict;
use warnings;
use Exporter 'import';
use Test::More;
use Keycloak::Browser;
use Keycloak::World;

our @EXPORT = qw(browser works_ok refused_ok closed_ok no_session_ok identity headers_named asked_to_sign_in fetched
    signed_in);

sub browser { return Keycloak::Browser->new(@_) }

# Values that the backend saw under a header name, compared as the module compares: letters and digits.
sub headers_named {
    my ($seen, $name) = @_;
    my $fold = sub { my $text = lc shift; $text =~ s/[^a-z0-9]//g; $text };
    return map { $_->[1] } grep { $fold->($_->[0]) eq $fold->($name) } @{ $seen->{headers} || [] };
}

# The identity that the backend saw, when it saw exactly one.
sub identity {
    my $seen = shift // return '';
    my @values = headers_named($seen, 'kubeflow-userid');
    return @values == 1 ? $values[0] : join '|', 'not one', @values;
}

# A redirect of ours to the site's realm.
sub asked_to_sign_in {
    my ($response, $realm) = @_;
    return $response->status == 302
        && ($response->header('Location') // '') =~ m{/realms/\Q$realm\E/protocol/openid-connect/auth\?};
}

# How often an endpoint of a realm was asked.
sub fetched { my ($realm, $endpoint) = @_; return scalar realm($realm)->log($endpoint) }

# A browser that is signed in, or none.
sub signed_in {
    my ($site, %options) = @_;
    my $browser = browser($site, %options);
    my $response = $browser->sign_in($options{path} // '/');
    # with SameSite Strict a page leads on
    return $browser if ($response->status == 303 || $response->header('Refresh')) && $browser->session;
    diag "signing in at $site: status " . $response->status . ' ' . $response->tag;
    return;
}

# works_ok(NAME, SITE, change => {...}): a whole sign-in arrives at the backend as alice.
sub works_ok {
    my ($name, $site, %options) = @_;
    my $expected = $options{identity} // 'alice@example.com';
    my $realm = realm($options{realm} // $site);
    return subtest $name => sub {
        plan tests => 4;
        $realm->set(%{ $options{change} }) if $options{change};
        my $browser = browser($site);
        my $response = $browser->sign_in('/there?x=1');
        is $response->status, 303, 'the callback goes on' or diag $response->text;
        is $response->led_to, '/there?x=1', 'to the page that was asked for';
        is scalar($response->session_cookies), 1, 'with one session';
        is identity($browser->seen), $expected, 'as the user';
        $realm->reset if $options{change} && !$options{keep};
    };
}

# Nothing came of an attempt: no session cookie, the backend not reached, before or after.
sub no_session_ok {
    my ($response, $browser, $site, $before) = @_;
    is scalar($response->session_cookies), 0, 'no session is made';
    ok !$response->from_backend, 'the answer is not the backend\'s';
    my $after = $browser->get('/inside');
    ok !$after->from_backend, 'and the next request is not let in';
    is hits($site), $before, 'the backend is not reached';
    return;
}

# refused_ok(NAME, SITE, change => {...}, status => [401]): a sign-in at a realm so changed is refused.
sub refused_ok {
    my ($name, $site, %options) = @_;
    my $realm = realm($options{realm} // $site);
    my $status = join '|', @{ $options{status} || [401] };
    return subtest $name => sub {
        plan tests => 6;
        $realm->set(%{ $options{change} }) if $options{change};
        my $browser = browser($site);
        my $before = hits($site);
        my $response = $browser->sign_in('/inside');
        like $response->status, qr/^(?:$status)$/, "refused with $status" or diag $response->text;
        my $tag = $options{tag} // 'KC\d{4}';
        like $response->tag, qr/^(?:$tag)$/, 'the page names the reason by its tag';
        no_session_ok($response, $browser, $site, $before);
        diag "$name: " . $response->tag if $ENV{KC_T_DEBUG};
        $realm->reset if $options{change} && !$options{keep};
    };
}

# closed_ok(NAME, SITE): a visit fails closed.
sub closed_ok {
    my ($name, $site, %options) = @_;
    return subtest $name => sub {
        plan tests => 7;
        my $browser = browser($site);
        my $before = hits($site);
        my $response = $browser->get('/inside');
        is $response->status, 503, 'the answer is 503' or diag $response->text;
        like $response->header('Retry-After') // '', qr/^\d+$/, 'with Retry-After';
        my $tag = $options{tag} // 'KC\d{4}';
        like $response->tag, qr/^(?:$tag)$/, 'and the tag of the reason';
        diag "$name: " . $response->tag if $ENV{KC_T_DEBUG};
        no_session_ok($response, $browser, $site, $before);
    };
}

1;
