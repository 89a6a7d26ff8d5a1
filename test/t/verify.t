# SPDX-License-Identifier: Apache-2.0
# <prefix>verify/…: 204, 401 or 403, the result that a request for the path behind it would get, in a location of external authorization and elsewhere.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::World;

use constant VERIFY => '/authservice/verify';

sub told_401 {
    my ($answer, $name) = @_;
    return subtest $name => sub {
        is $answer->status, 401, 'no session: 401';
        like $answer->header('Content-Type') // '', qr{^application/json}, 'in JSON';
        is +($answer->json || {})->{error}, 'login_required', 'with the reason';
        is $answer->header('Location'), undef, 'and no redirect';
        is_deeply [$answer->all('kubeflow-userid')], [], 'nor a name';
    };
}

sub told_204 {
    my ($answer, $user, $name) = @_;
    return subtest $name => sub {
        is $answer->status, 204, 'let in: 204';
        is $answer->body, '', 'without a body';
        is $answer->header('kubeflow-userid'), $user, 'as whom';
        like $answer->header('Cache-Control') // '', qr/no-store/, 'not to be kept';
        is_deeply [$answer->all('Set-Cookie')], [], 'and no cookie';
    };
}

for my $site (qw(plain judge)) {
    my $in = signed_in($site) || BAIL_OUT('nobody can sign in');
    my $before = hits($site);
    for my $path ('', '/', '/pipeline/x', '/pipeline/x?a=b', '/authservice/whoami', '/%C3%A4', '/a%20b') {
        told_204 $in->get(VERIFY . $path), 'alice@example.com', "$site: a session at '$path'";
        told_401 browser($site)->get(VERIFY . $path), "$site: none at '$path'";
        told_401 browser($site)->get(VERIFY . $path, 'kubeflow-userid' => 'evil@example.com'), "$site: a forged name at '$path'";
    }
    is $in->request('HEAD', VERIFY . '/x')->status, 204, "$site: HEAD";
    is browser($site)->request('HEAD', VERIFY . '/x')->status, 401, "$site: HEAD without a session";
    for my $method (qw(POST PUT DELETE OPTIONS)) {
        is $in->request($method, VERIFY . '/x', headers => ['Content-Length' => 0])->status, 405, "$site: $method: 405";
    }
    is $in->get(VERIFY . $_)->status, 404, "$site: verify$_ is none of it" for qw(ing -x .x);
    told_204 $in->get(VERIFY . '?a=b'), 'alice@example.com', "$site: a query alone is of the start page";
    for my $path ('//x', '/x//y', '/../x', '/x/../y', '/./x', '/%2e%2e/x', '//evil.example.com/x', '/x%2e', '/x\\y', '/x%5cy', '/x/..;/y') {
        for my $who ($in, browser($site)) {
            isnt $who->get(VERIFY . $path)->status, 204, "$site: $path is not written plainly";
        }
    }
    isnt $in->get('/authservice/%76erify/x')->status, 204, "$site: nor may our own name be";
    is $in->get('/authservice/verify/authservice/verify/x')->status, 204, "$site: it may ask about itself";
    is hits($site), $before, "$site: the backend has seen nothing";
}

my $in = signed_in('judge') || BAIL_OUT('nobody can sign in');
is $in->get(VERIFY . '/user/x')->status, 204, 'Require is met';
for my $path ('/admin', '/admin/x', '/nobody/x') {
    my $answer = $in->get(VERIFY . $path);
    is $answer->status, 403, "$path: known, but not let in: 403";
    like $answer->header('Content-Type') // '', qr{^application/json}, 'in JSON';
    is $answer->tag, 'KC0103', 'with the reason';
    told_401 browser('judge')->get(VERIFY . $path), "$path: unknown";
}
is $in->get('/x')->status, 200, 'none of this has ended the session';
is browser('judge')->get(VERIFY . '/public/x')->status, 204, 'a public path needs no session';
told_401 browser('judge')->get(VERIFY . '/public%2Fx'), 'unless it is written otherwise';
told_401 browser('judge')->get(VERIFY . '/publicity'), 'or is another';

subtest 'where nothing is guarded, a session is needed all the same' => sub {
    told_401 browser('unguarded')->get(VERIFY . '/open/x'), 'without one';
    my $guest = signed_in('unguarded') or return fail 'signing in';
    is $guest->get(VERIFY . '/open/x')->status, 204, 'with one';
    told_401 browser('unguarded')->get(VERIFY . '/pass/x'), 'also where requests pass nameless';
};

subtest 'a path that httpd reads in another way than our address' => sub {
    my $guest = signed_in('verify-moved') or return fail 'signing in';
    for my $path ('/verify%2fx', '/verify%2Fx', '/verify/old/x', '/check/x', '/checked') {
        my $answer = $guest->get($path =~ /^.verify/ ? "/authservice$path" : $path);
        is $answer->status, 403, "$path: 403" or diag $answer->text;
        is_deeply [$answer->all('kubeflow-userid')], [], 'nobody is named';
    }
    told_204 $guest->get(VERIFY . '/new/x'), 'alice@example.com', 'where it leads, by its own name';
    told_204 $guest->get(VERIFY . '/a%2fb'), 'alice@example.com', 'a slash that httpd decodes on both ways';
};

subtest 'a session that does not do for the place' => sub {
    my $answer = $in->get(VERIFY . '/gold/x');
    is $answer->status, 401, 'no';
    is $answer->tag, 'KC0111', 'to sign in again' or diag $answer->text;
};

subtest 'signed out' => sub {
    my $visitor = signed_in('judge') or return fail 'signing in';
    my @old = (Cookie => $visitor->cookie_header);
    is $visitor->get(VERIFY . '/x', @old)->status, 204, 'before';
    $visitor->request('POST', '/authservice/logout',
        headers => [@old, Accept => '*/*', Authorization => 'Bearer ', Origin => $visitor->origin, 'Content-Length' => 0]);
    ok wait_until(sub { browser('judge')->get(VERIFY . '/x', @old)->status == 401 }), 'after';
};

done_testing;
