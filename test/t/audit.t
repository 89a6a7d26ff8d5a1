# SPDX-License-Identifier: Apache-2.0
# threats.md: KeycloakAuditLog writes one line of JSON for each event, whatever LogLevel says, and holds nobody.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant { SITE => 'audit', FORM => 'application/x-www-form-urlencoded', LIST => '/authservice/sessions', BURST => 100, CHILDREN => 4 };

my @FIELDS = qw(time event tag cause user sub act by client acr session keycloak_session address agent request trace issuer server omitted lost);
my $ROOM = "$ENV{KC_ROOM}/" . SITE;
my $json = JSON::PP->new->utf8;

# A program that reads nothing until there is a file "go", for two minutes at most.
my $program = "$ENV{KC_ROOM}/late_reader";
open my $file, '>', $program or die "$program: $!\n";
print $file "#!/bin/sh\nleft=1200\nwhile [ ! -e '$ROOM/go' ] && [ \$left -gt 0 ]; do sleep 0.1; left=\$((left - 1)); done\nexec cat >>'$ROOM/piped.json'\n";
close $file or die "$program: $!\n";
chmod 0755, $program or die "$program: $!\n";

my ($rotatelogs) = grep { -x } map { "$_/rotatelogs" } qw(/usr/bin /usr/sbin /usr/local/bin /usr/local/sbin);
BAIL_OUT('there is no rotatelogs') if !$rotatelogs;

my %hosts = (
    audit    => 'ServerAlias mailed.test',
    piped    => "KeycloakAuditLog \"|$program\"",
    full     => 'KeycloakAuditLog /dev/full',
    rotated  => "KeycloakAuditLog \"|$rotatelogs $ROOM/rotated.%Y.json 86400\"",
    none     => 'KeycloakAuditLog none',
    same     => 'ServerAlias same-too.test',
    proxied  => 'KeycloakTrustedProxy 127.0.0.0/8 198.51.100.7',
);
my @lines = ('KeycloakAuditLog audit.json', 'LogLevel emerg auth_keycloak:warn', 'KeycloakBearer on', 'KeycloakCacheTTL 0', 'KeycloakUserClaim email');
for my $name (sort keys %hosts) {
    push @lines, '<VirtualHost *:*>', "ServerName $name.test", $hosts{$name}, '</VirtualHost>';
}
my $server = Keycloak::Server->new(SITE, lines => \@lines, places => [
    '<Location /gold>', 'KeycloakRequireACR gold', '</Location>', '<Location /operator>', 'SetHandler keycloak-sessions', '</Location>']);
local $ENV{KC_PORT} = $server->port;
my $realm = realm(SITE);

sub text { my $name = shift // 'audit.json'; open my $file, '<', "$ROOM/$name" or return ''; local $/; return <$file> // '' }
sub mark { return length text(@_) }

# The events since a mark. Each line is JSON with all fields in their order.
sub events {
    my ($mark, $name) = @_;
    my @events;
    for my $line (split /^/, substr text($name), $mark) {
        my $event = eval { $json->decode($line) };
        ok $event, 'a line is JSON' or diag $line;
        my @names = $line =~ /[{,]"(\w+)":(?:"(?:[^"\\]|\\.)*"|null|\d+)/g;
        is "@names", "@FIELDS", 'with all fields in their order';
        like $event->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'at a time';
        ok length $line <= 4096, 'no longer than a pipe takes at once';
        push @events, $event;
    }
    return @events;
}

# happens(NAME, [[EVENT, TAG, FIELD => VALUE ...] ...], CODE): the code causes these events and no other.
sub happens {
    my ($name, $wanted, $code) = @_;
    my @events;
    subtest $name => sub {
        my $mark = mark();
        $code->();
        @events = events($mark);
        is join(' ', map { "$_->{event}/$_->{tag}" } @events), join(' ', map { "$_->[0]/$_->[1]" } @$wanted), 'the events';
        for my $index (0 .. $#$wanted) {
            my (undef, undef, %fields) = @{ $wanted->[$index] };
            is $events[$index]{$_}, $fields{$_}, "$wanted->[$index][0]: $_" for sort keys %fields;
        }
    };
    return @events;
}

# The person of the realm from now on.
sub become { my ($name, %more) = @_; return $realm->set(user => { sub => "sub-$name", email => "$name\@example.com", %more }) }
sub sid { return ($realm->log('token'))[-1]{answer}{session_state} }
sub hash { my $text = shift; require Digest::SHA; return substr Digest::SHA::sha256_hex($text), 0, 16 }

my $alice = browser(SITE);
my ($in) = happens 'a sign-in', [['sign-in', 'KC0601', user => 'alice@example.com', sub => 'sub-alice', act => undef, by => undef, client => 'app', acr => '1', cause => undef,
        address => '127.0.0.1', agent => 'Probe/1.0', trace => undef, issuer => "$ENV{KC_PROVIDER}/realms/" . SITE, server => 'audit.test', omitted => 0, lost => 0]], sub {
    become('alice');
    my $back = $alice->authorize($alice->start('/x'));
    is $alice->get($back, 'User-Agent' => 'Probe/1.0')->status, 303, 'signed in';
};
is $in->{keycloak_session}, hash(sid()), 'the session at Keycloak, as a hash';
like $in->{session}, qr/^[0-9a-f]{16}$/, 'the session, as a hash';
ok length $in->{request}, 'the request';
happens 'requests of a session', [], sub { ok $alice->seen, 'she goes on' for 1 .. 3 };
my ($up) = happens 'a stronger sign-in', [['step-up', 'KC0601', user => 'alice@example.com', acr => 'gold']], sub {
    $realm->set(sso => { classes => [qw(1 gold)] });
    is $alice->sign_in('/gold')->status, 303, 'signed in once more';
};
my ($out) = happens 'a sign-out', [['sign-out', 'KC0602', user => 'alice@example.com', sub => 'sub-alice', acr => 'gold', session => $up->{session}]], sub { $alice->get('/authservice/logout') };
$realm->set(sso => { classes => ['1'] });

happens 'impersonation', [['sign-in', 'KC0601', user => 'alice@example.com', act => 'root'], ['sign-in', 'KC0601', user => 'bob@example.com', act => 'admin-id']], sub {
    become('alice', impersonator => { id => 'f1', username => 'root' });
    ok signed_in(SITE), "as Keycloak's mappers tell it";
    become('bob', impersonator => {}, act => { sub => 'admin-id' });
    ok signed_in(SITE), 'as RFC 8693 tells it';
    become('alice', act => {}, impersonator => {});
};

happens 'sign-ins that are refused', [['sign-in-refused', 'KC0405', user => undef, sub => undef, session => undef], ['sign-in-refused', 'KC0415', sub => 'sub-alice'],
        ['sign-in-refused', 'KC0307'], ['sign-in-refused', 'KC0308']], sub {
    $realm->set(id_token => { shape => 'flipped_signature' });
    is browser(SITE)->sign_in('/x')->status, 401, 'by the signature';
    $realm->set(id_token => {});
    my $browser = browser(SITE);
    become('alice', email_verified => JSON::PP::false);
    is browser('mailed')->sign_in('/x')->status, 401, 'by the address that is not verified';
    become('alice', email_verified => JSON::PP::true);
    my $back = $browser->authorize($browser->start('/x'));
    $back =~ s/&code=[^&]*/&error=access_denied/ or $back =~ s/code=[^&]*&/error=access_denied&/;
    is $browser->get($back)->status, 401, 'by the realm';
    $realm->set(faults => { token => { kind => 'status', status => 400, early => 1, body => '{"error":"invalid_grant"}' } });
    is browser(SITE)->sign_in('/x')->status, 401, 'by its token endpoint';
    $realm->set(faults => {});
};

subtest 'sessions that others end' => sub {
    my ($browser, $began, $sid);
    my $begin = sub {
        my $mark = mark();
        become(shift);
        $browser = signed_in(SITE) or return fail 'signing in';
        ($began) = events($mark);
        $sid = sid();
    };
    $begin->('carol');
    happens 'by the back channel', [['session-ended', 'KC0605', cause => 'back-channel', sub => 'sub-carol', user => undef, keycloak_session => $began->{keycloak_session}]], sub {
        is $browser->post('/authservice/backchannel-logout', 'logout_token=' . escape($realm->logout_token(set => { sid => $sid })), 'Content-Type' => FORM)->status, 200, 'told';
    };
    $begin->('carol');
    happens 'by the front channel', [['session-ended', 'KC0606', cause => 'front-channel', user => 'carol@example.com', session => $began->{session}]], sub {
        $browser->get('/authservice/frontchannel-logout?iss=' . escape("$ENV{KC_PROVIDER}/realms/" . SITE) . "&sid=$sid");
    };
    $begin->('carol');
    happens 'by another user in the same browser', [['session-ended', 'KC0601', cause => 'another-user', user => 'carol@example.com', session => $began->{session}],
            ['step-up', 'KC0601', user => 'dave@example.com']], sub {
        become('dave')->set(sso => { classes => [qw(1 gold)] });
        is $browser->sign_in('/gold')->status, 303, 'signed in';
        $realm->set(sso => { classes => ['1'] });
    };
    $realm->set(lifetime => 1);
    $begin->('erin');
    happens 'by the realm, which does not renew it', [['session-ended', 'KC0311', cause => 'refresh-refused', user => 'erin@example.com', session => $began->{session}]], sub {
        $realm->set(faults => { token => { kind => 'status', status => 400, early => 1, body => '{"error":"invalid_grant"}' } });
        ok wait_until(sub { asked_to_sign_in($browser->get('/x'), SITE) }), 'the session ends';
        $realm->set(faults => {});
    };
    $begin->('frank');
    happens 'by tokens of another user', [['session-ended', 'KC0409', cause => 'another-user', user => 'frank@example.com', session => $began->{session}]], sub {
        become('grace');
        ok wait_until(sub { asked_to_sign_in($browser->get('/x'), SITE) }), 'the session ends';
    };
    $realm->set(lifetime => 300);
};

subtest 'a list of sessions, and an operator' => sub {
    my $mark = mark();
    become('heidi');
    my ($one, $other) = (signed_in(SITE), signed_in(SITE));
    my ($first) = events($mark);
    my ($listed) = grep { !$_->{current} } @{ $other->api(LIST)->json->{sessions} };
    my @form = (Accept => 'application/json', 'Content-Type' => FORM);
    happens 'another session of hers', [['sign-out', 'KC0602', cause => 'another-session', user => 'heidi@example.com', session => $first->{session}]],
        sub { is $other->post(LIST, "end=$listed->{id}", @form)->status, 200, 'ended' };
    happens 'all of hers', [['sign-out', 'KC0603', cause => 'all-sessions', user => 'heidi@example.com', session => undef], ['sign-out', 'KC0602', user => 'heidi@example.com']],
        sub { is $other->post(LIST, 'end=all', @form)->status, 201, 'ended' };
    become('ivan');
    my $operator = signed_in(SITE);
    become('judy');
    my $judy = signed_in(SITE);
    happens 'by an operator', [['operator', 'KC0604', by => 'ivan@example.com', user => 'judy@example.com', sub => undef], ['operator', 'KC0604', by => 'ivan@example.com', user => undef, sub => 'sub-judy']],
        sub { is $operator->post('/operator', 'user=judy%40example.com', @form)->status, 200, 'ended' };
};

subtest 'bearer tokens' => sub {
    become('alice');
    my $token = $realm->bearer_token;
    my $ask = sub { return browser(SITE)->get('/x', Authorization => "Bearer $_[0]")->status };
    my ($first) = happens 'accepted, once for the token', [['bearer-accepted', 'KC0653', user => 'alice@example.com', sub => 'sub-alice', acr => '1', client => 'app']],
        sub { is $ask->($token), 200, 'accepted' for 1 .. 3 };
    like $first->{session}, qr/^[0-9a-f]{16}$/, 'with a hash';
    happens 'another token', [['bearer-accepted', 'KC0653', act => 'root']],
        sub { is $ask->($realm->bearer_token(set => { impersonator => { username => 'root' } })), 200, 'accepted' };
    happens 'refused', [['bearer-refused', 'KC0405', user => undef, sub => undef], ['bearer-refused', 'KC0407', sub => 'sub-alice'], ['bearer-refused', 'KC0408', sub => 'sub-alice'],
            ['bearer-refused', 'KC0115']], sub {
        is $ask->($realm->bearer_token(shape => 'flipped_signature')), 401, 'by its signature';
        is $ask->($realm->bearer_token(set => { aud => 'other' })), 401, 'by its audience';
        is $ask->($realm->bearer_token(offset => { exp => -3600 })), 401, 'by its time';
        is $ask->(''), 401, 'for it is empty';
    };
};

subtest 'what strangers send cannot forge or break a line' => sub {
    my @agents = ("a\"b\\c", '","event":"sign-in","x":"', "\xff\xfe\xc3", "M\xc3\xbcller \xe2\x80\xae", "t\tx", 'x' x 5000, '"' x 5000, "\xc2\x85");
    for my $agent (@agents) {
        my $mark = mark();
        is browser(SITE)->get('/x', Authorization => 'Bearer x', 'User-Agent' => $agent)->status, 401, 'refused';
        my @events = events($mark);
        is scalar @events, 1, 'one event';
        is $events[0]{event}, 'bearer-refused', 'of its kind';
        unlike substr(text(), $mark), qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae/, 'without control characters';
    }
};

subtest 'the address of the chain that is trusted' => sub {
    my %chains = ('203.0.113.9' => '203.0.113.9', '6.6.6.6, 203.0.113.9' => '203.0.113.9', '6.6.6.6, 203.0.113.9, 198.51.100.7' => '203.0.113.9',
        '2001:db8::1' => '2001:db8::1', 'nonsense' => '127.0.0.1', '198.51.100.7' => '198.51.100.7');
    for my $site ('proxied', SITE) {
        for my $chain (sort keys %chains) {
            my $mark = mark();
            browser($site)->get('/x', Authorization => 'Bearer x', 'X-Forwarded-For' => $chain);
            is((events($mark))[0]{address}, $site eq SITE ? '127.0.0.1' : $chains{$chain}, "$site: $chain");
        }
    }
};

subtest 'other hosts' => sub {
    for my $name (qw(same none)) {
        my $mark = mark();
        ok signed_in($name), "$name: signed in";
        my @events = events($mark);
        is scalar @events, $name eq 'none' ? 0 : 1, "$name: as it is configured";
        is $events[0]{server}, 'same.test', 'with its name' if @events;
    }
};

subtest 'a graceful restart' => sub {
    my $before = text();
    $server->restart;
    ok signed_in(SITE), 'signed in';
    my $after = text();
    is substr($after, 0, length $before), $before, 'what was there is there';
    is scalar(events(length $before)), 1, 'and there is more';
};

subtest 'rotatelogs, before and after a graceful restart' => sub {
    my $count = sub { return scalar map { split /^/, text($_) } map { m{([^/]+)$} } glob "$ROOM/rotated.*.json" };
    for my $wanted (1, 2) {
        ok signed_in('rotated'), 'signed in';
        ok wait_until(sub { $count->() == $wanted }), "event $wanted is there" or diag $count->();
        $server->restart if $wanted == 1;
    }
};

subtest 'a disk that is full' => sub {
    is browser('full')->get('/x', Authorization => 'Bearer x')->status, 401, 'requests are answered' for 1 .. 8;
    ok signed_in('full'), 'and people are signed in';
    my $told = () = $server->log =~ /KC0651: KeycloakAuditLog \/dev\/full takes no events: No space left/g;
    ok $told >= 1 && $told <= CHILDREN, "it is said once by a process, $told times";
};

# A pipe has room for 64 KiB.
subtest 'a program that does not read' => sub {
    my @headers = ('User-Agent' => 'x' x 400, Authorization => 'Bearer x');
    my $count = 0;
    until ($server->log =~ /KC0651: KeycloakAuditLog \|/ || $count > 2 * CHILDREN * BURST) {
        browser('piped')->get('/x', @headers)->status == 401 or return fail 'a request is not answered';
        $count++;
    }
    cmp_ok $count, '<=', 2 * CHILDREN * BURST, 'the pipe is full at last';
    ok signed_in('piped'), 'people are signed in all the same' for 1 .. CHILDREN;
    like $server->log, qr/KC0651: KeycloakAuditLog \|\S+ takes no events: it is full/, 'the error log says it';
    open my $go, '>', "$ROOM/go" or die "go: $!\n";
    ok wait_until(sub { ok signed_in('piped'), 'signed in'; $server->log =~ /KC0652: KeycloakAuditLog \|/ }), 'it reads, and that is said';
    ok wait_until(sub { grep { $_->{lost} } events(0, 'piped.json') }), 'an event tells how many are lost';
};

subtest 'a flood of refusals' => sub {
    my ($mark, $flood) = (mark(), 2 * CHILDREN * BURST);
    browser(SITE)->get('/x', Authorization => 'Bearer flood')->status == 401 or fail 'refused' for 1 .. $flood;
    my $written = () = substr(text(), $mark) =~ /^/mg;
    ok wait_until(sub { browser(SITE)->get('/x', Authorization => 'Bearer flood'); text() =~ /"omitted":[1-9]/ }), "it is bounded ($written of $flood), and the number of those left out is told";
};

subtest 'no secret is written' => sub {
    my $text = text() . text('piped.json');
    my @secrets = ('canary-client-secret-5d1e', $alice->session // ());
    for my $entry ($realm->log('token')) {
        push @secrets, map { $_->[1] } grep { $_->[0] =~ /^(?:code|code_verifier|refresh_token)$/ } @{ $entry->{params} };
        push @secrets, grep { defined } @{ $entry->{answer} }{qw(access_token id_token refresh_token session_state)} if ref $entry->{answer} eq 'HASH';
    }
    cmp_ok scalar @secrets, '>', 20, 'there are secrets';
    is scalar(grep { length $_ && index($text, $_) >= 0 } @secrets), 0, 'none is in the log';
    unlike $text, qr/eyJ[\w-]{20}/, 'nor any token';
};

subtest 'values that are refused at start' => sub {
    for my $bad ('syslog:nothing', '"|"', 'syslog:user:a[b', '/nowhere/to/be/found') {
        my $other = Keycloak::Server->new('audit-bad', ends => 1, lines => ["KeycloakAuditLog $bad"]);
        isnt $other->status, 0, "$bad: httpd does not start";
    }
};

# "configtest && restart" must not end a server that runs.
subtest 'a folder that is not there' => sub {
    for my $path ('logs/audit.json', '/nowhere/to/be/found', 'httpd.conf/below-a-file') {
        my $other = Keycloak::Server->new('audit-bad', ends => 1, lines => ["KeycloakAuditLog $path"]);
        my $folder = $path =~ s{/[^/]*\z}{}r;
        my $said = qx(\Q$ENV{KC_HTTPD}\E -t -f \Q$ENV{KC_ROOM}\E/audit-bad/httpd.conf 2>&1);
        isnt $?, 0, "$path: httpd -t fails" or diag $said;
        like "$said" . $other->log, qr/KC0003: KeycloakAuditLog \(line \d+ of \S+\): the folder \S*\Q$folder\E\/ of this file cannot be used: [A-Z].*; make it/, 'and names the folder';
        is_deeply [grep { -e } "$ENV{KC_ROOM}/audit-bad/logs"], [], 'which is not made';
    }
    my $said = qx(\Q$ENV{KC_HTTPD}\E -t -f \Q$ROOM\E/httpd.conf 2>&1);
    is $?, 0, 'files, programs and a device are accepted' or diag $said;
};

$server->end;
done_testing;
