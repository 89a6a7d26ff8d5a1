# SPDX-License-Identifier: Apache-2.0
# threats.md 199: a shared cache, mod_cache in this httpd or one in front of it, never gives a user another user's page.
use strict;
use warnings;
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

my $future = 'Fri, 01 Jan 2100 00:00:00 GMT';
my $past = 'Sat, 01 Jan 2000 00:00:00 GMT';

# What a backend may say of an answer that is for whoever was let in.
my @silent = (
    ['nothing'],
    ['max-age', 'Cache-Control: max-age=60'],
    ['s-maxage', 'Cache-Control: s-maxage=60'],
    ['must-revalidate', 'Cache-Control: max-age=60, must-revalidate', 'ETag: "a"'],
    ['capitals', 'CACHE-CONTROL: MAX-AGE=60'],
    ['Expires alone', "Expires: $future"],
    ['Last-Modified alone', "Last-Modified: $past"],
    ['ETag alone', 'ETag: "b"'],
    ['of HTTP/1.0', "Expires: $future", 'Pragma: x'],
    ['several lines', 'Cache-Control: max-age=60', 'Cache-Control: must-revalidate', 'ETag: "c"'],
    ['public in quotes', 'Cache-Control: max-age=60, x="a, public, b"'],
    ['public with an argument', 'Cache-Control: max-age=60, public="x"'],
    ['a quote that is not closed', 'Cache-Control: max-age=60, x=", public'],
    ['a longer word', 'Cache-Control: max-age=60, publicity'],
    ['private fields', 'Cache-Control: max-age=60, private="set-cookie"'],
    ['Vary', 'Cache-Control: max-age=60', 'Vary: Accept-Language'],
    ['a delivery network', 'Cache-Control: max-age=60', 'CDN-Cache-Control: max-age=600', 'Surrogate-Control: max-age=600'],
    (map { ["$_ alone", "$_: max-age=600"] } 'CDN-Cache-Control', 'Surrogate-Control', 'Cloudflare-CDN-Cache-Control', 'Akamai-Cache-Control',
        'NETLIFY-cdn-cache-control', 'Vercel-CDN-Cache-Control', 'Edge-Control'),
    ['nginx', 'X-Accel-Expires: 600'], ['nginx, at a time', 'X-Accel-Expires: @4102444800', 'Cache-Control: max-age=60'],
    ['partly said already', 'Cache-Control: private, max-age=60'],
    ['not to be stored', 'Cache-Control: no-store'],
    ['both', 'Cache-Control: public, private, max-age=60'],
);
my @public = (
    ['public', 'Cache-Control: public, max-age=60'],
    ['public, and for networks', 'Cache-Control: public, max-age=60', 'X-Accel-Expires: 600', 'Edge-Control: max-age=600'],
    ['PUBLIC', 'Cache-Control: max-age=60 , PUBLIC '],
    ['on a line of its own', 'Cache-Control: max-age=60', 'Cache-Control: public'],
);

sub path {
    my ($path, @lines) = @_;
    return "$path?" . join '&', map { 'h=' . escape($_) } @lines;
}

# Two people of a site, and a stranger.
sub people {
    my $site = shift;
    realm($site)->set(user => { email => 'bob@example.com' });
    my $bob = signed_in($site) or die "bob cannot sign in\n";
    realm($site)->reset;
    my $alice = signed_in($site) or die "alice cannot sign in\n";
    return ($alice, $bob);
}

sub says { my $response = shift; return join ', ', $response->all('Cache-Control') }
sub is_hit { my $response = shift; return ($response->header('X-Cache') // '') =~ /HIT/ }

sub own_page_ok {
    my ($site, $path, $alice, $bob, @headers) = @_;
    my $first = $alice->get($path, @headers);
    is identity($first->json || {}), 'alice@example.com', 'alice gets her page';
    $alice->get($path, @headers);
    is identity($bob->get($path, @headers)->json || {}), 'bob@example.com', 'bob gets his';
    is identity($alice->get($path, @headers)->json || {}), 'alice@example.com', 'and she hers again';
    for my $response (browser($site)->get($path), browser($site)->api($path), browser($site)->get($path, 'Cache-Control' => 'only-if-cached')) {
        like $response->status, qr/^(?:302|401)$/, 'a stranger none' or diag $response->text;
        unlike $response->body, qr/alice|bob/, 'and nothing of it';
    }
    return $first;
}

our ($store, $open) = qw(disk /public);    # of a server that starts: where its cache stores, and which paths are public

sub server {
    my ($name, $quick, @more) = @_;
    mkdir "$ENV{KC_ROOM}/$name-cache";
    return Keycloak::Server->new($name, lines => [
        (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(cache cache_disk cache_socache socache_shmcb headers expires authn_file
            alias)),
        "CacheRoot $ENV{KC_ROOM}/$name-cache", "CacheQuickHandler $quick", 'CacheHeader On', "KeycloakPublicPath $open",
        'CacheSocache shmcb:cache(512000)', "CacheEnable $store /", @more,
    ]);
}

for my $quick (qw(on off)) {
    my $site = "cached-$quick";
    my $server = server($site, $quick, 'KeycloakBearer on',
        '<Location /pass>', 'KeycloakUnauth pass', '</Location>',
        'ErrorDocument 404 /private/errordoc', '<LocationMatch /public/status/>', 'ProxyErrorOverride On', '</LocationMatch>');
    local $ENV{KC_PORT} = $server->port;
    my ($alice, $bob) = people($site);
    my $number = 0;

    for my $row (@silent) {
        my ($name, @lines) = @$row;
        my $path = path('/page/' . $number++, @lines);
        subtest "quick handler $quick: $name" => sub {
            my $answer = own_page_ok($site, $path, $alice, $bob);
            like says($answer), qr/(?:^|, )(?:private|no-store)(?:,|$)/, 'other caches are told';
            for my $line (@lines) {
                my ($field, $value) = split /: /, $line, 2;
                next if $field =~ /.-Cache-Control$|^Surrogate|^Edge|^X-Accel/i;
                like join(', ', $answer->all($field)), qr/\Q$value\E/, "and what the backend has said stays: $line";
            }
            like $answer->header($_) // 'private', qr/private/, "$_ as well" for qw(CDN-Cache-Control Surrogate-Control
                Cloudflare-CDN-Cache-Control Akamai-Cache-Control Netlify-CDN-Cache-Control Vercel-CDN-Cache-Control);
            is $answer->header('Edge-Control') // 'no-store', 'no-store', 'a network that knows no "private"';
            is $answer->header('X-Accel-Expires') // '0', '0', 'nginx';
        };
    }
    for my $row (@public) {
        my ($name, @lines) = @$row;
        my $path = path('/open/' . $number++, @lines);
        subtest "quick handler $quick: $name" => sub {
            my $answer = $alice->get($path);
            unlike says($answer), qr/private|no-store/, 'nothing is added';
            unlike $answer->header($_) // '600', qr/no-store|^0/, "nor to $_" for qw(Edge-Control X-Accel-Expires);
            my $second = $bob->get($path);
            is $second->status, 200, 'bob gets one';
            is is_hit($second), $quick eq 'off' ? 1 : '', $quick eq 'off' ? 'from the cache, behind the check' : 'from the backend';
            ok asked_to_sign_in(browser($site)->get($path), $site), 'a stranger has to sign in before';
        };
    }

    subtest "quick handler $quick: a public path" => sub {
        my $path = path('/public/page', 'Cache-Control: max-age=60');
        my $answer = $alice->get($path, 'kubeflow-userid' => 'mallory@example.com');
        ok $answer->from_backend, 'somebody gets it from the backend';
        is scalar(headers_named($answer->json || {}, 'kubeflow-userid')), 0, 'which is told no name';
        is says($answer), 'max-age=60', 'and nothing is added';
        for my $browser (browser($site), $bob) {
            my $next = $browser->get($path);
            ok is_hit($next), 'others get it from the cache' or diag $next->text;
            is scalar(headers_named($next->json || {}, 'kubeflow-userid')), 0, 'nameless';
        }
        for my $spelling ('/public/%70age', '/public//page', '/public/../public/page', '/PUBLIC/page', '/public/page;x') {
            my $odd = path($spelling, 'Cache-Control: max-age=60');
            $alice->get($odd) for 1 .. 2;
            my $next = browser($site)->get($odd);
            ok !is_hit($next), "but not by another spelling: $spelling";
            unlike $next->body, qr/alice/, 'nor what alice got by it';
        }
    };

    subtest "quick handler $quick: a public path that leads to a page for one person" => sub {
        my $path = path('/public/status/404', 'Cache-Control: max-age=60');
        like $alice->get($path)->body, qr/alice/, 'alice gets her error page' for 1 .. 2;
        unlike browser($site)->get($path)->body, qr/alice/, 'a stranger not';
        unlike $bob->get($path)->body, qr/alice/, 'nor bob';
    };

    subtest "quick handler $quick: a place where the nameless pass" => sub {
        my $path = path('/pass/page', 'Cache-Control: max-age=60');
        $alice->get($path) for 1 .. 2;
        for (1 .. 2) {
            my $answer = browser($site)->get($path);
            ok $answer->from_backend, 'a stranger gets a page';
            unlike $answer->body, qr/alice/, 'nameless';
        }
        is identity($bob->get($path)->json || {}), 'bob@example.com', 'bob his own all the same';
        my $public = path('/pass/page', 'Cache-Control: max-age=60, public');
        browser($site)->get($public) for 1 .. 2;
        is says(browser($site)->get($public)), 'max-age=60, public', 'what the backend says is public stays it';
    };

    subtest "quick handler $quick: bearer tokens" => sub {
        my $path = path('/bearer/page', 'Cache-Control: s-maxage=60, must-revalidate', 'ETag: "a"');
        my %token = map { my $who = $_; ($who => realm($site)->bearer_token(set => { email => "$who\@example.com" })) } qw(alice bob);
        for my $who (qw(alice alice bob)) {
            my $answer = browser($site)->get($path, Authorization => "Bearer $token{$who}");
            is $answer->status, 200, "$who is let in" or diag $answer->text;
            like says($answer), qr/^private, s-maxage=60/, 'and other caches are told';
            ok !is_hit($answer), 'nothing comes from the cache';
        }
        is browser($site)->api($path)->status, 401, 'a stranger gets nothing';
    };

    subtest "quick handler $quick: other answers of a backend" => sub {
        like says($alice->get(path('/status/500', 'Cache-Control: max-age=60'))), qr/^private, max-age=60/, 'errors';
        like says($alice->get(path('/status/301', 'Location: /x'))), qr/^private$/, 'redirects';
        like says($alice->get(path('/status/304', 'Cache-Control: max-age=60', 'ETag: "a"'), 'If-None-Match' => '"a"')), qr/^private, max-age=60/,
            'what was not modified';
        is says($alice->get(path('/status/304', 'ETag: "a"'), 'If-None-Match' => '"a"')), '', 'which leaves what was said before';
        like says($alice->request('HEAD', path('/page/head', 'Cache-Control: max-age=60'))), qr/^private/, 'HEAD';
        like says($alice->post(path('/page/post', 'Cache-Control: max-age=60'), 'a=1', 'Content-Type' => 'text/plain')), qr/^private/, 'POST';
    };
    $server->end;
    unlike $server->log, qr/exit signal|AH00052/, 'no child crashed';
}

# ---- pages for everybody, of which a part is for one person

for my $quick (qw(on off)) {
    my $site = "cached-parts-$quick";
    my $files = "$ENV{KC_ROOM}/$site-files";
    my %page = (short => 'x', long => 'x' x 20000);
    mkdir $files;
    for my $name (sort keys %page) {
        open my $file, '>', "$files/$name.html" or die "$name: $!\n";
        print $file "<p>$page{$name}</p><!--#include virtual=\"/private/part\" --><p>end</p>\n";
        close $file;
    }
    my $greeting = path('/public/greeting', 'Cache-Control: max-age=60');
    open my $file, '>', "$files/two.html" or die "two: $!\n";
    print $file qq(<!--#include virtual="/private/part" --><!--#include virtual="$greeting&\$QUERY_STRING" -->\n);
    close $file;
    my $server = server($site, $quick, (map { "LoadModule ${_}_module $ENV{KC_MODULES}/mod_$_.so" } qw(include filter)),
        (map { ("Alias $_ $files", "ProxyPass $_ !") } qw(/public/parts /public/filtered /public/said /said)),
        "<Directory $files>", 'Options +Includes', 'ForceType text/html', 'Header set Cache-Control "max-age=60"', '</Directory>',
        '<Location /public/parts>', 'SetOutputFilter INCLUDES', '</Location>',
        '<Location /public/filtered>', 'AddOutputFilterByType INCLUDES text/html', '</Location>',
        (map { ("<Location $_>", 'SetOutputFilter INCLUDES', 'Header set Cache-Control "public, max-age=60"', '</Location>') } qw(/public/said /said)));
    local $ENV{KC_PORT} = $server->port;
    my ($alice, $bob) = people($site);
    for my $path (map { ("/public/parts/$_.html", "/public/filtered/$_.html") } sort keys %page) {
        subtest "quick handler $quick: $path" => sub {
            for my $round (1 .. 2) {
                my $path = "$path?$round";
                my $answer = $alice->get($path);
                like $answer->body, qr/alice/, 'alice gets the part that is hers';
                like says($answer), qr/private/, 'and other caches are told';
                $answer = browser($site)->get($path);
                is $answer->status, 200, 'a stranger gets the page' or diag $answer->text;
                unlike $answer->body, qr/alice|bob/, 'without it';
                is says($answer), 'max-age=60', 'which is for everybody';
            }
            unlike $bob->get("$path?$_")->body, qr/alice/, 'bob gets nothing of alice' for 1 .. 3;
        };
    }
    for my $path (map { ("/public/said/$_.html", "/said/$_.html") } sort keys %page) {
        subtest "quick handler $quick: $path, which says that it is public" => sub {
            my $answer;
            $answer = $alice->get($path) for 1 .. 2;
            like $answer->body, qr/alice/, 'alice gets the part that is hers';
            like says($answer), qr/^private/, 'and other caches are told';
            $answer = $bob->get($path);
            like $answer->body, qr/bob/, 'bob gets his' or diag $answer->text;
            unlike $answer->body, qr/alice/, 'and nothing of hers';
            unlike browser($site)->get($path)->body, qr/alice|bob/, 'a stranger neither';
        };
    }
    subtest "quick handler $quick: a part for everybody behind one that is for one person" => sub {
        my $answer;
        $answer = $alice->get('/public/parts/two.html?round=1') for 1 .. 2;
        like $answer->body, qr/alice.*greeting/s, 'alice gets both' or diag $answer->text;
        for my $browser (browser($site), $bob) {
            $answer = $browser->get("$greeting&round=1");
            is $answer->status, 200, 'others get that for everybody' or diag $answer->text;
            unlike $answer->body, qr/alice/, 'not as it was for alice';
        }
    };
    $server->end;
    unlike $server->log, qr/exit signal|AH00052/, 'no child crashed';
}

# ---- both of mod_cache's stores, and what they have had since before a restart

for my $where (qw(disk socache)) {
    for my $quick (qw(on off)) {
        my $site = "cached-$where-$quick";
        local ($store, $open) = ($where, '/public /meanwhile');
        my $server = server($site, $quick);
        local $ENV{KC_PORT} = $server->port;
        my ($alice, $bob) = people($site);
        my $public = path('/open/page', 'Cache-Control: public, max-age=600');
        my $everybodys = path('/public/page', 'Cache-Control: max-age=600');
        my $meanwhile = path('/meanwhile/page', 'Cache-Control: public, max-age=600');
        my %own = map { my ($name, @lines) = @$_; ($name => path('/page/' . ($name =~ tr/A-Za-z/_/cr), @lines)) } @silent;

        subtest "$where, quick handler $quick: what is public is stored" => sub {
            ok $alice->get($public)->from_backend, 'somebody who was let in gets it from the backend';
            my $second = $bob->get($public);
            is $second->status, 200, 'bob gets it';
            is is_hit($second), $quick eq 'off' ? 1 : '', $quick eq 'off' ? 'from the cache, behind the check' : 'from the backend';
            ok asked_to_sign_in(browser($site)->get($public), $site), 'a stranger has to sign in before';
            browser($site)->get($_) for $everybodys, $meanwhile;
            for my $path ($everybodys, $meanwhile) {
                ok is_hit(browser($site)->get($path)), 'of a public path anybody gets it from the cache';
            }
            my @files = grep { -f } map { glob "$_/*" } map { ($_, glob "$_/*") } map { ($_, glob "$_/*") } "$ENV{KC_ROOM}/$site-cache";
            is scalar(@files) > 0, $where eq 'disk' ? 1 : '', "by this store";
        };
        for my $name (sort keys %own) {
            subtest "$where, quick handler $quick: $name" => sub { own_page_ok($site, $own{$name}, $alice, $bob) };
        }

        # All this was stored, or was not, by children that are gone; some of it is not public any more.
        $server->change('KeycloakPublicPath /public /meanwhile', 'KeycloakPublicPath /public');
        my $other = $quick eq 'on' ? 'off' : 'on';
        for my $now ($quick, $other) {
            $server->change("CacheQuickHandler $quick", "CacheQuickHandler $now") if $now ne $quick;
            $server->restart;
            subtest "$where, quick handler $quick, after a graceful restart $now" => sub {
                for my $path ($public, $meanwhile, map { $own{$_} } sort keys %own) {
                    for my $answer (browser($site)->get($path), browser($site)->api($path), browser($site)->get($path, 'Cache-Control' => 'only-if-cached')) {
                        like $answer->status, qr/^(?:302|401)$/, "a stranger gets nothing of $path" or diag $answer->text;
                        unlike $answer->body, qr/alice|bob/, 'and nobody\'s page';
                        ok !is_hit($answer), 'nor anything that was stored';
                    }
                }
                is identity($bob->get($own{$_})->json || {}), 'bob@example.com', "bob gets his own: $_" for sort keys %own;
                my $answer = browser($site)->get($everybodys);
                is $answer->status, 200, 'what is for everybody stays it';
                unlike $answer->body, qr/alice|bob/, 'nameless';
                ok is_hit($bob->get($public)), 'and what is public comes from the cache' if $where eq 'disk' && "$quick$now" eq 'offoff';
            };
        }
        $server->end;
        unlike $server->log, qr/exit signal|AH00052/, 'no child crashed';
    }
}

# ---- an administrator who wants more to be cached than can be

{
    my $site = 'cached-hard';
    my $files = "$ENV{KC_ROOM}/cached-files";
    mkdir $files;
    for my $name (qw(page.html public.html)) {
        open my $file, '>', "$files/$name" or die "$name: $!\n";
        print $file "a file\n";
        close $file;
        utime 946684800, 946684800, "$files/$name";
    }
    my $server = server($site, 'off', 'CacheStorePrivate On', 'CacheStoreNoStore On', 'CacheIgnoreCacheControl On', 'CacheIgnoreNoLastMod On',
        'CacheStoreExpired On', 'CacheIgnoreHeaders Set-Cookie', "Alias /files $files", 'ProxyPass /files !',
        'Header always set X-Seen yes',
        '<Location /early>', 'SetOutputFilter CACHE', '</Location>',
        '<Location /set>', 'Header set Cache-Control "max-age=60"', '</Location>',
        '<Location /set-always>', 'Header always set Cache-Control "max-age=60"', '</Location>',
        '<Location /set-public>', 'Header set Cache-Control "public, max-age=60"', '</Location>',
        '<Location /expires>', 'ExpiresActive On', 'ExpiresDefault "access plus 1 minutes"', '</Location>',
        '<Location /authservice>', 'Header always set Cache-Control "public, max-age=60"', '</Location>',
        '<Location /closed>', 'Header always set Cache-Control "public, max-age=60"', '</Location>',
        '<Location /soc>', 'CacheEnable socache', '</Location>');
    local $ENV{KC_PORT} = $server->port;
    my ($alice, $bob) = people($site);
    my $number = 0;
    for my $place (qw(/plain /early /set /set-always /expires /soc)) {
        for my $lines ([], ['Cache-Control: max-age=60'], ['Cache-Control: private, max-age=60'], ['Cache-Control: no-store, max-age=60']) {
            subtest "$place: " . ($lines->[0] // 'nothing') => sub {
                my $answer = own_page_ok($site, path("$place/" . $number++, @$lines), $alice, $bob);
                like says($answer), qr/(?:^|, )(?:private|no-store)(?:,|$)/, 'other caches are told';
            };
        }
    }
    subtest 'an administrator may say that it is public' => sub {
        my $path = path('/set-public/page');
        $alice->get($path);
        my $second = $bob->get($path);
        ok is_hit($second), 'which fills the cache';
        is says($second), 'public, max-age=60', 'and other caches';
    };
    subtest 'files of this server' => sub {
        like says($alice->get('/files/page.html')), qr/^private$/, 'are for whoever was let in' for 1 .. 2;
        ok !is_hit($bob->get('/files/page.html')), 'and are not cached';
        is $alice->get('/files/page.html', 'If-Modified-Since' => 'Wed, 01 Jan 2020 00:00:00 GMT')->status, 304, 'but by browsers';
    };
    subtest 'what the module itself answers' => sub {
        my $stranger = browser($site);
        for my $path ('/authservice/whoami', '/authservice/login', '/closed/page') {
            # at the last one pages are public by the administrator's word, the way to the sign-in is not
            my @people = $path eq '/closed/page' ? () : ($alice, $alice, $bob);
            my @answers = map { $_->get($path) } @people, $stranger, $stranger, browser($site);
            ok !(grep { is_hit($_) } @answers), "$path is never cached";
            like says($_), qr/(?:^|, )no-store(?:,|$)/, 'and other caches are told' for @answers;
        }
        my ($first, $second) = map { browser($site)->get('/closed/page')->header('Set-Cookie') } 1 .. 2;
        isnt $first, $second, 'everybody gets a sign-in of their own';
        like $alice->get('/authservice/whoami')->body, qr/alice/, 'and is told who they are';
        like $bob->get('/authservice/whoami')->body, qr/bob/, 'bob as well';
    };
    $server->stop;
}

done_testing;
