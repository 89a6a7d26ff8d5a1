# SPDX-License-Identifier: Apache-2.0
# KeycloakTraceContext: one trace at the backend, at the realm, in the logs and in the audit log; and %{…}^kc of LogFormat.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Keycloak::Expect;
use Keycloak::Server;
use Keycloak::World;

use constant { SITE => 'traced', TRACE => '4bf92f3577b34da6a3ce929d0e0e4736', SPAN => '00f067aa0ba902b7', OWN => qr/00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]/ };

my $ROOM = "$ENV{KC_ROOM}/" . SITE;
my %hosts = (
    traced    => 'KeycloakTrustedProxy 127.0.0.0/8',
    strangers => "KeycloakTrustedProxy 192.0.2.1\nErrorLogFormat \"note=%{keycloak-trace}n \\\"%M\\\"\"",
    untraced  => 'KeycloakTraceContext off',
    judged    => "KeycloakTrustedProxy 127.0.0.0/8\n<Location />\nSetHandler keycloak-judge\n</Location>",
    unset     => "<Location />\nSetHandler keycloak-judge\n</Location>\nRequestHeader unset traceparent\nRequestHeader unset tracestate",
    named     => 'SetEnvIf X-Request-Id (.+) UNIQUE_ID=$1',
);
my @lines = ("LoadModule headers_module $ENV{KC_MODULES}/mod_headers.so", "LoadModule setenvif_module $ENV{KC_MODULES}/mod_setenvif.so", 'KeycloakTraceContext on', 'KeycloakAuditLog audit.json', 'KeycloakBearer on',
    'LogFormat "%v user=%{user}^kc session=%{session}^kc tag=%{tag}^kc state=%{state}^kc tier=%{tier}^kc store=%{store}^kc keycloak=%{keycloak}^kc trace=%{trace}^kc note=%{keycloak-trace}n request=%{request}^kc other=%{nothing}^kc" kc',
    "CustomLog $ROOM/access_log kc");
for my $name (sort keys %hosts) {
    push @lines, '<VirtualHost *:*>', "ServerName $name.test", $hosts{$name}, '</VirtualHost>';
}
my $server = Keycloak::Server->new(SITE, lines => \@lines);
local $ENV{KC_PORT} = $server->port;
my $realm = realm(SITE);

sub parent_of { my $site = shift; return (headers_named((visitors($site))[-1], 'traceparent'))[0] // '' }
sub state_of { my $site = shift; return (headers_named((visitors($site))[-1], 'tracestate'))[0] }
sub access { my $text = $server->access_log; return (split /\n/, $text)[-1] // '' }

my $alice = signed_in('traced') || BAIL_OUT('nobody can sign in');

subtest 'of a trusted proxy' => sub {
    my @came = (traceparent => '00-' . TRACE . '-' . SPAN . '-01', tracestate => 'a=1,b=2');
    ok $alice->seen('/x', @came), 'the backend is reached';
    my ($id, $span) = parent_of('traced') =~ OWN;
    is $id, TRACE, 'the same trace at the backend';
    isnt $span, SPAN, 'by another parent';
    is state_of('traced'), 'a=1,b=2', 'and its state';
    ok wait_until(sub { access() =~ /trace=@{[TRACE]} note=@{[TRACE]}/ }), 'in the access log' or diag access();
    my $browser = browser('traced');
    my $back = $browser->authorize($browser->start('/x'));
    my $mark = length $server->log;
    is $browser->get($back, @came)->status, 303, 'a sign-in';
    my ($at) = map { Keycloak::Realm::header($_, 'traceparent') } ($realm->log('token'))[-1];
    like $at, qr/^00-@{[TRACE]}-[0-9a-f]{16}-01$/, 'the same trace at the realm';
    isnt substr($at, 36, 16), SPAN, 'by another parent';
    like substr($server->log, $mark), qr/KC0601: signed in: .*, trace @{[TRACE]}$/m, 'in the error log';
    open my $file, '<', "$ROOM/audit.json" or die "audit.json: $!\n";
    my @events = map { JSON::PP::decode_json($_) } <$file>;
    is $events[-1]{trace}, TRACE, 'in the audit log';
};

subtest 'what is no trace is replaced' => sub {
    my $zeros = '0' x 32;
    for my $came ('', 'x', '00-' . TRACE . '-' . SPAN, '00-' . uc(TRACE) . '-' . SPAN . '-01', "00-$zeros-" . SPAN . '-01', 'ff-' . TRACE . '-' . SPAN . '-01', '00-' . TRACE . '-' . SPAN . '-01-x') {
        ok $alice->seen('/x', traceparent => $came, tracestate => 'a=1'), "with '$came'";
        my ($id) = parent_of('traced') =~ OWN;
        like $id // '', qr/^[0-9a-f]{32}$/, 'a trace';
        isnt $id, TRACE, 'of its own';
        is state_of('traced'), undef, 'without a state';
    }
    ok $alice->seen('/x', traceparent => '00-' . TRACE . '-' . SPAN . '-01', tracestate => 'a' x 600), 'with a state that is too long';
    is state_of('traced'), undef, 'it is left out';
};

subtest 'of any client' => sub {
    my $browser = signed_in('strangers') or return fail 'signing in';
    my %seen;
    for (1 .. 3) {
        ok $browser->seen('/x', traceparent => '00-' . TRACE . '-' . SPAN . '-01', tracestate => 'a=1', Connection => 'close, traceparent, tracestate'), 'the backend is reached';
        my ($id) = parent_of('strangers') =~ OWN;
        $seen{ $id // 'none' }++;
        is state_of('strangers'), undef, 'without their state';
    }
    is scalar(keys %seen), 3, 'each request has a trace of its own';
    ok !$seen{ TRACE() } && !$seen{none}, 'and none has theirs';
};

# It also shows why no ErrorLogFormat makes JSON: a quote stays as it is (doc/operations.md).
subtest 'httpd\'s own format of the error log' => sub {
    my $mark = length $server->log;
    is browser('strangers')->get('/a"b', Authorization => 'Bearer x')->status, 401, 'refused';
    like substr($server->log, $mark), qr{^note=([0-9a-f]{32}) "KC0115: .* \[/a"b, request \S+\], trace \1"$}m, 'has the note' or diag substr $server->log, $mark;
};

subtest 'off' => sub {
    my $browser = signed_in('untraced') or return fail 'signing in';
    ok $browser->seen('/x', traceparent => 'theirs'), 'the backend is reached';
    is parent_of('untraced'), 'theirs', 'headers stay as they are';
    my ($at) = map { Keycloak::Realm::header($_, 'traceparent') } ($realm->log('token'))[-1];
    is $at, undef, 'the realm gets none';
};

subtest 'a gateway' => sub {
    my $browser = browser('judged');
    $browser->{jar} = { %{ $alice->jar } };
    my $answer = $browser->get('/x', traceparent => '00-' . TRACE . '-' . SPAN . '-01', tracestate => 'a=1');
    is $answer->status, 200, 'allowed' or diag $answer->text;
    like $answer->header('traceparent') // '', qr/^00-@{[TRACE]}-(?!@{[SPAN]})[0-9a-f]{16}-01$/, 'is given the trace for its backend';
    is $answer->header('tracestate'), 'a=1', 'and the state';
};

subtest 'a gateway, where another module takes the headers away' => sub {
    my $browser = browser('unset');
    $browser->{jar} = { %{ $alice->jar } };
    my $answer = $browser->get('/x');
    is $answer->status, 200, 'allowed' or diag $server->log;
    is $answer->header('traceparent'), undef, 'without a trace';
    unlike $server->log, qr/exit signal/, 'no child has died';
};

subtest 'the format' => sub {
    my $line = sub {
        my ($wanted, $ask) = @_;
        my $before = $server->access_log;
        $ask->();
        my $new = '';
        ok wait_until(sub { $new = substr $server->access_log, length $before; $new =~ /\n/ }), 'a line';
        like $new, $wanted, 'with what is wanted';
    };
    $line->(qr/^traced\.test user=alice\@example\.com session=[0-9a-f]{16} tag=- state=live tier=\w+ store=\d+ keycloak=0 trace=[0-9a-f]{32} note=[0-9a-f]{32} request=\S+ other=-$/m, sub { $alice->seen });
    $line->(qr/ user=- session=- tag=KC0101 state=none tier=- /, sub { is browser('traced')->api('/x')->status, 401, 'nobody' });
    $line->(qr/ user=- session=- tag=KC0115 state=refused /, sub { browser('traced')->get('/x', Authorization => 'Bearer x') });
    $line->(qr/^named\.test .* request=a\\tb\\"\\xc3 other=-$/m, sub { browser('named')->api('/x', 'X-Request-Id' => "a\tb\"\xc3") });
    my $browser = browser('traced');
    my $back = $browser->authorize($browser->start('/x'));
    $line->(qr/ keycloak=[1-9]\d* /, sub { $browser->get($back) });
    my $first = ($server->access_log =~ /session=([0-9a-f]{16})/)[0];
    ok $first, 'a hash';
    open my $file, '<', "$ROOM/audit.json" or die "audit.json: $!\n";
    ok scalar(grep { /"session":"$first"/ } <$file>), 'which the audit log has too';
};

$server->end;
done_testing;
