# SPDX-License-Identifier: Apache-2.0
# The sessions that a user sees and ends, an operator's list, whoami, and the reasons why a session is over.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Keycloak::Expect;
use Keycloak::Memcached;
use Keycloak::World;

use constant { SITE => 'sessions', LIST => '/authservice/sessions', FORM => 'application/x-www-form-urlencoded' };

# The person of the realm: people(SITE, SUB, EMAIL, ROLE ...).
sub become {
    my ($sub, @roles) = @_;
    realm(SITE)->reset->set(user => { sub => $sub, email => "$sub\@example.com", email_verified => JSON::PP::true, realm_access => { roles => [@roles] } });
    return;
}

sub in { my ($agent) = @_; my $browser = signed_in(SITE) || BAIL_OUT('nobody can sign in'); return $browser }

sub sessions { my $browser = shift; return @{ $browser->api(LIST)->json->{sessions} } }

sub end { my ($browser, $what, @headers) = @_; return $browser->post(LIST, "end=$what", Accept => 'application/json', 'Content-Type' => FORM, @headers) }

sub between_ok {
    my ($value, $least, $most, $name) = @_;
    return ok $value >= $least && $value <= $most, $name || diag "$value, not from $least to $most";
}

subtest 'whoami' => sub {
    become('who', qw(user admin));
    my $before = int time;
    my $browser = in();
    my $answer = $browser->api('/authservice/whoami');
    is $answer->status, 200, 'status 200';
    like $answer->header('Content-Type'), qr{^application/json}, 'JSON';
    is $answer->header('Cache-Control'), 'no-store', 'that nobody keeps';
    my $who = $answer->json;
    is $who->{user}, 'who@example.com', 'the user';
    is $who->{sub}, 'who', 'the subject';
    is_deeply [sort @{ $who->{realm_roles} }], [qw(admin user)], 'the roles';
    is ref $who->{groups}, 'ARRAY', 'the groups';
    my $after = time;
    between_ok $who->{now}, $before, $after, 'the clock';
    between_ok $who->{expires} - 36_000, $before, $after, 'the absolute end';
    between_ok $who->{idle_expires} - 3600, $before - 360, $after, 'the idle end';
    between_ok $who->{tokens_expire} - 300, $before, $after, 'the end of its tokens';
    is $browser->get('/authservice/whoami')->status, 200, 'also as a page';
    my $nobody = browser(SITE)->api('/authservice/whoami');
    is $nobody->status, 401, 'nobody: 401';
    like $nobody->json->{login_url}, qr{/authservice/login\?return=}, 'and where to sign in';
    is $browser->post('/authservice/whoami', '')->status, 405, 'POST: 405';
};

subtest 'whoami of what is not known, or not so' => sub {
    my $who = sub {
        my $site = shift;
        my $browser = signed_in($site) || BAIL_OUT('nobody can sign in');
        return $browser->api('/authservice/whoami')->json;
    };
    realm(SITE)->reset->set(id_token => { delete => [qw(auth_time acr sid)] }, access_token => { delete => [qw(auth_time acr sid)] },
        token_response => { delete => ['refresh_token'] });
    my $less = $who->(SITE);
    ok !exists $less->{auth_time}, 'no time of the sign-in';
    ok !defined $less->{acr}, 'no class of it';
    ok !$less->{is_renewed}, 'tokens that cannot be renewed';
    realm(SITE)->reset;
    ok $who->(SITE)->{is_renewed}, 'tokens that can';
    ok !$who->('sessions-unrenewed')->{is_renewed}, 'KeycloakRefresh off: that nobody renews';
};

subtest 'own sessions, and one of them ended' => sub {
    become('lister');
    my $before = int time;
    my ($here, $there) = (in(), in());
    my @list = sessions($here);
    is scalar @list, 2, 'two';
    is scalar(grep { $_->{current} } @list), 1, 'one is this one';
    for my $session (@list) {
        is $session->{address}, '127.0.0.1', 'where it was made';
        between_ok $session->{created}, $before, time, 'when';
        between_ok $session->{last_used}, $before - 360, time, 'last used';
    }
    my ($other) = grep { !$_->{current} } @list;
    is end($here, $other->{id}, Origin => 'https://evil.example.com')->status, 403, 'another site cannot end it';
    for my $name ('f' x 16, 'x', map { ($_->{id} . '0', substr $_->{id}, 0, 15) } @list) {
        is end($here, $name)->json->{ended}, 0, 'a name of none: nothing ends';
    }
    is end($here, $other->{id})->json->{ended}, 1, 'ended';
    ok wait_until(sub { !$there->seen }), 'the other one is out';
    ok $here->seen, 'this one is not';
    is scalar(sessions($here)), 1, 'one is left';
};

subtest 'nobody ends another person\'s session' => sub {
    become('victim');
    my $victim = in();
    my ($session) = sessions($victim);
    become('thief');
    my $thief = in();
    is end($thief, $session->{id})->json->{ended}, 0, 'not by its name';
    sleep 1.2;
    ok $victim->seen, 'the victim goes on';
};

# Who has a name after somebody else had it, or beside them, is another person.
subtest 'two people of one name' => sub {
    my $as = sub {
        my ($sub, @roles) = @_;
        realm(SITE)->reset->set(user => { sub => $sub, email => 'shared@example.com', email_verified => JSON::PP::true, realm_access => { roles => [@roles] } });
        return in();
    };
    my ($one, $other) = ($as->('first'), $as->('second', 'admin'));
    my ($foreign) = sessions($one);
    is_deeply [map { $_->{current} } sessions($other)], [JSON::PP::true()], 'each sees their own sessions alone';
    is scalar(() = $other->get(LIST)->text =~ /name="end" value="[0-9a-f]{16}"/g), 1, 'on the page too';
    is end($other, $foreign->{id})->json->{ended}, 0, 'neither ends the other\'s';
    ok $one->seen, 'who goes on';
    $as->('second');
    my $ended = $other->post('/operator', 'user=shared%40example.com', Accept => 'application/json', 'Content-Type' => FORM)->json;
    is_deeply [sort @{ $ended->{ended} }], [qw(first second)], 'an operator ends both, each once';
    ok wait_until(sub { !$one->seen && !$other->seen }), 'both are out';
};

subtest 'all of them' => sub {
    become('leaver');
    my @browsers = map { in() } 1 .. 3;
    become('bystander');
    my $bystander = in();
    my $answer = end($browsers[0], 'all');
    is $answer->status, 201, 'signed out';
    like $answer->json->{afterLogoutURL}, qr/id_token_hint=/, 'at the realm too';
    ok wait_until(sub { my $left = grep { $_->seen } @browsers; !$left }), 'all are out';
    ok $bystander->seen, 'somebody else is not';
    sleep 1;
    become('leaver');
    ok in()->seen, 'and one may sign in anew';
};

subtest 'this one by its name is a sign-out' => sub {
    become('single');
    my $browser = in();
    my ($session) = sessions($browser);
    is end($browser, $session->{id})->status, 201, 'as any sign-out';
    ok !$browser->seen, 'out';
};

subtest 'the page' => sub {
    become('reader');
    my $browser = in();
    my $evil = $browser->sign_in('/x') && $browser;
    my $page = $browser->get(LIST, 'User-Agent' => 'x');
    is $page->status, 200, 'status 200';
    like $page->text, qr/reader\@example\.com/, 'names the person';
    like $page->text, qr{<button name="end" value="[0-9a-f]{16}">}, 'has a button for the session';
    like $page->text, qr{<button name="end" value="all">}, 'and for all';
    like browser(SITE)->get(LIST)->header('Location') // '', qr{/protocol/openid-connect/auth\?}, 'nobody: to the sign-in';
    my $back = $browser->post(LIST, 'end=' . 'f' x 16, Accept => 'text/html', 'Content-Type' => FORM, Origin => $browser->origin);
    is $back->status, 303, 'back to the page after an end';
};

subtest 'what a browser says of itself is shown as text' => sub {
    become('poet');
    my $browser = browser(SITE);
    my $start = $browser->get('/');
    my $back = $browser->authorize($start->header('Location'));
    $browser->get($back, 'User-Agent' => '<script>alert(1)</script>"\'&');
    my $page = $browser->get(LIST)->text;
    unlike $page, qr/<script>alert/, 'no markup';
    like $page, qr/&lt;script&gt;alert/, 'but text';
};

subtest 'methods that the list does not take' => sub {
    become('former');
    my $browser = in();
    for my $method (qw(PUT DELETE PATCH OPTIONS)) {
        my $answer = $browser->request($method, LIST, headers => [Accept => 'application/json', 'Content-Length' => 0]);
        is $answer->status, 405, "$method: 405";
        is $answer->header('Allow'), 'GET, HEAD, POST', 'and what it takes';
    }
    ok $browser->seen, 'still signed in';
};

subtest 'forms that are none' => sub {
    become('former');
    my $browser = in();
    my @forms = (['', FORM], ['end=a&end=b', FORM], ['other=x', FORM], ['end=all', 'text/plain'], ['end=all', 'application/x-www-form-urlencodedx'],
        ['end=%', FORM], ['end=all&x=' . 'y' x 70_000, FORM], ["end=all\0", FORM]);
    for my $form (@forms) {
        my $answer = $browser->post(LIST, $form->[0], Accept => 'application/json', 'Content-Type' => $form->[1]);
        is $answer->status, 400, 'status 400';
        is eval { $answer->json->{tag} }, 'KC0112', 'with the reason';
    }
    ok $browser->seen, 'still signed in';
};

# One of two memcached servers does not answer, and may list others of the same name.
subtest 'an operator who sees a part of the store' => sub {
    my $site = 'sessions-half';
    my $as = sub {
        my ($sub, $email, @roles) = @_;
        realm($site)->reset->set(user => { sub => $sub, email => $email, email_verified => JSON::PP::true, realm_access => { roles => [@roles] } });
        return signed_in($site) || BAIL_OUT('nobody can sign in');
    };
    my $worker = $as->('half-worker', 'half@example.com');
    my $boss = $as->('half-boss', 'half-boss@example.com', 'admin');
    my @post = (Accept => 'application/json', 'Content-Type' => FORM);
    my $none = $boss->post('/operator', 'user=half-nobody%40example.com', @post);
    is $none->status, 200, 'nobody of that name is listed';
    ok !exists $none->json->{ended}, 'which does not say that nobody was there';
    ok $none->json->{all}, 'nor lets anybody stay';
    ok $boss->api('/operator?user=half%40example.com')->json->{is_partial}, 'a list tells that some may be missing';
    is end($worker, 'f' x 16)->status, 503, 'and that nobody ended what may be listed elsewhere';
    my $ended = $boss->post('/operator', 'user=half%40example.com', @post)->json;
    is_deeply $ended->{ended}, ['half-worker'], 'ends whom it sees';
    ok $ended->{all}, 'and by the name all others';
    ok wait_until(sub { !$worker->seen }), 'that one is out';
    $ended = $boss->post('/operator', 'sub=half-worker', @post)->json;
    ok $ended->{all}, 'by the subject it is known';
    ok $boss->seen, 'the operator is not out';

    my $store = Keycloak::Memcached->new;
    my %before = map { $_ => 1 } $store->keys;
    my $lost = $as->('half-lost', 'half-lost@example.com');
    my ($session, @lists) = sort { length(($store->get($b))[0]) <=> length(($store->get($a))[0]) } grep { !$before{$_} } $store->keys;
    $store->delete($_) for @lists;
    is_deeply $boss->api('/operator?user=half-lost%40example.com')->status, 503, 'a list that was lost is no empty one while a server does not answer';
    ok $lost->seen, 'whoever was listed there lives on';
    my $answer = $boss->post('/operator', 'user=half-lost%40example.com', @post);
    is $answer->status, 200, 'ended by the name';
    is $answer->json->{user}, 'half-lost@example.com', 'which the answer says';
    ok $answer->json->{all}, 'all that there are';
    ok wait_until(sub { !$lost->seen }), 'and the person is out';
    my ($held) = $store->get($session);
    ok !defined $held, 'the session with them';
    ok wait_until(sub { signed_in($site) }), 'who may sign in again';
    ok $boss->seen, 'the operator is not out';
};

subtest 'an operator' => sub {
    become('worker');
    my @workers = (in(), in());
    become('boss', 'admin');
    my $boss = in();
    my $list = $boss->api('/operator?user=worker%40example.com');
    is $list->status, 200, 'may look';
    is scalar @{ $list->json->{sessions} }, 2, 'at the sessions of anybody';
    is $workers[0]->api('/operator?user=boss%40example.com')->status, 403, 'nobody else may';
    for my $query ('sub=worker', 'user=a&user=b', 'sub=a&sub=b', 'user=%zz', 'user=a&sub=b', 'x=y', '') {
        my $answer = $boss->api("/operator?$query");
        is $answer->status, 400, "a look that names no user: '$query'";
        unlike $answer->text, qr/"sessions"/, 'shows nobody';
    }
    for my $method (qw(PUT DELETE PATCH)) {
        my $answer = $boss->request($method, '/operator?user=worker%40example.com', headers => [Accept => 'application/json', 'Content-Length' => 0]);
        is $answer->status, 405, "$method: 405";
        is $answer->header('Allow'), 'GET, HEAD, POST', 'and what may be asked';
    }
    my @post = (Accept => 'application/json', 'Content-Type' => FORM);
    is $boss->post('/operator', 'user=worker%40example.com', @post, Origin => 'https://evil.example.com')->status, 403, 'nor another site';
    is $boss->post('/operator', 'x=y', @post)->status, 400, 'a user or a sub is needed';
    is $boss->post('/operator', 'user=a&sub=b', @post)->status, 400, 'not both';
    my $none = $boss->post('/operator', 'user=nobody%40example.com', @post)->json;
    ok !exists $none->{ended}, 'nobody of that name is listed';
    is $none->{user}, 'nobody@example.com', 'it was ended by the name';
    ok $none->{all}, 'whoever has it';
    my $ended = $boss->post('/operator', 'user=worker%40example.com', @post)->json;
    is_deeply $ended->{ended}, ['worker'], 'ends them';
    ok $ended->{all}, 'all that there are';
    ok wait_until(sub { my $left = grep { $_->seen } @workers; !$left }), 'all of them';
    ok $boss->seen, 'and no other';
    sleep 1;
    become('worker');
    my $worker = in();
    become('boss', 'admin');
    my $mark = log_mark();
    is $boss->post('/operator', 'sub=worker', @post)->status, 200, 'by the subject';
    like log_since($mark), qr/\[auth_keycloak:notice\].*KC0604: boss\@example\.com ends all sessions of sub worker/, 'the log says by whom';
    ok wait_until(sub { !$worker->seen }), 'as well';
    is $boss->api("/operator-open?user=boss%40example.com")->status, 500, 'unguarded: an error';
    is browser(SITE)->api('/operator-open?user=boss%40example.com')->status, 500, 'for everybody';
    is browser(SITE)->api('/operator-pass?user=boss%40example.com')->status, 500, 'without a name: an error';
    like browser(SITE)->get('/operator')->header('Location') // '', qr{/protocol/openid-connect/auth\?}, 'nobody: to the sign-in';
};

# threats.md P 189: the author of a .htaccess is no operator.
subtest 'a .htaccess makes no operator' => sub {
    my $folder = "$ENV{KC_ROOM}/t/htdocs/local/mallory";
    my $person = sub {
        my $sub = shift;
        realm('htaccess')->reset->set(user => { sub => $sub, email => "$sub\@example.com", email_verified => JSON::PP::true });
        return signed_in('htaccess') || BAIL_OUT('nobody can sign in');
    };
    my ($victim, $mallory) = map { $person->($_) } qw(victim mallory);
    mkdir $folder or die "$folder: $!\n";
    open my $page, '>', "$folder/x.html" or die "x.html: $!\n";
    print $page 'a page';
    close $page;
    for my $lines ("SetHandler keycloak-sessions\nRequire valid-user\n", "AddHandler keycloak-sessions .html\nRequire valid-user\n",
        "RewriteEngine On\nRewriteRule ^ - [H=keycloak-sessions]\nRequire valid-user\n") {
        open my $file, '>', "$folder/.htaccess" or die ".htaccess: $!\n";
        print $file $lines;
        close $file;
        my ($name) = $lines =~ /^(\w+)/;
        unlike $mallory->api('/local/mallory/x.html?user=mallory%40example.com')->text, qr/"sessions"/, "$name: no list";
        my $answer = $mallory->post('/local/mallory/x.html', 'sub=victim', Accept => 'application/json', 'Content-Type' => FORM, Origin => $mallory->origin);
        unlike $answer->text, qr/"ended"/, "$name: nobody is ended";
    }
    for my $handler (qw(keycloak-judge keycloak-health)) {
        open my $file, '>', "$folder/.htaccess" or die ".htaccess: $!\n";
        print $file "SetHandler $handler\nRequire valid-user\n";
        close $file;
        my $answer = $mallory->get('/local/mallory/x.html');
        is $answer->status, 404, "nor does one make a $handler";
        is_deeply [$answer->all('kubeflow-userid')], [], 'that names somebody';
    }
    sleep 1.2;
    ok $victim->seen, 'the victim goes on';
    unlink "$folder/.htaccess", "$folder/x.html";
    rmdir $folder;
    realm('htaccess')->reset;
};

# ---- reasons

sub reason {
    my $answer = shift;
    return $answer->status . ' ' . (eval { $answer->json->{tag} } // $answer->tag // 'none');
}

subtest 'paths that are no use of a session, though its tokens are renewed' => sub {
    realm('idle')->set(lifetime => 1);
    my ($idle, $busy) = map { signed_in('idle') || BAIL_OUT('nobody can sign in') } 1 .. 2;
    my $end = time + 7;
    while (time < $end) {
        for my $path (qw(/poll /poll/deeper /notebook/ns/name/api/kernels /authservice/whoami /authservice/verify/page)) {
            $idle->api($path);
            $busy->api('/notebook/ns/name/tree');    # after each, since on a busy machine they take their time
        }
        sleep 0.25;
    }
    is reason($idle->api('/page')), '401 KC0107', 'asked for again and again, they keep none';
    is $busy->api('/page')->status, 200, 'any other does';
};

subtest 'the reason why a session is over' => sub {
    my $browser = signed_in('session-max') || BAIL_OUT('nobody can sign in');
    my $cookie = $browser->cookie_header;
    sleep 2.1;
    like reason(browser('session-max')->api('/', Cookie => $cookie)), qr/^401 KC010[78]$/, 'it had lasted as long as one may';
    become('gone');
    my $gone = in();
    $cookie = $gone->cookie_header;
    $gone->get('/authservice/logout');
    is reason(browser(SITE)->api('/', Cookie => $cookie)), '401 KC0109', 'it was signed out';
    is reason(browser(SITE)->api('/')), '401 KC0101', 'there never was one';
    is reason(browser(SITE)->api('/', Cookie => 'keycloak_session=x')), '401 KC0101', 'nor with a cookie of nothing';
    is reason(browser(SITE)->api('/', Cookie => 'keycloak_session=' . 'A' x 43)), '401 KC0107', 'an unknown one';
};

done_testing;
