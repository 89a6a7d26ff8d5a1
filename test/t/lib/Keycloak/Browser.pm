# SPDX-License-Identifier: Apache-2.0
# A browser that sends just what a test says: raw requests, a cookie jar, and the way through sign-in.
package Keycloak::Browser;
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::SSL;
use Keycloak::Response;

use constant DEADLINE => 60;                    # seconds for one exchange
use constant LARGEST  => 8 << 20;               # octets of one answer
use constant PAGE     => 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8';

# new(SITE, tls => 1): a browser with an empty jar, at the site SITE.test.
sub new {
    my ($class, $site, %options) = @_;
    my $host = $options{host} || "$site.test";
    my $port = $options{tls} ? $ENV{KC_HTTPS_PORT} : $ENV{KC_PORT};
    return bless {
        site => $site, host => $host, port => $port, tls => $options{tls}, jar => {}, fixed => [],
    }, $class;
}

sub origin {
    my $self = shift;
    return ($self->{tls} ? 'https' : 'http') . "://$self->{host}:$self->{port}";
}

# get(PATH, NAME => VALUE, ...): headers given here come in place of the browser's own; a value that
# is undef leaves the header out.
sub get { my ($self, $path, @headers) = @_; return $self->request('GET', $path, headers => \@headers) }

sub post {
    my ($self, $path, $body, @headers) = @_;
    return $self->request('POST', $path, body => $body, headers => \@headers);
}

# As a script's fetch() asks.
sub api {
    my ($self, $path, @headers) = @_;
    return $self->get($path, Accept => 'application/json', 'X-Requested-With' => 'XMLHttpRequest', @headers);
}

sub request {
    my ($self, $method, $path, %options) = @_;
    my @given = @{ $options{headers} || [] };
    my %given;
    for (my $index = 0; $index < @given; $index += 2) {
        $given{ lc $given[$index] } = 1;
    }
    my @lines = ("$method $path HTTP/1.1");
    my %own = (
        Host => "$self->{host}:$self->{port}", Accept => PAGE, Connection => 'close',
        Cookie => $self->cookie_header, 'Content-Length' => $options{body} && length $options{body},
        'Sec-Fetch-Site' => $given{accept} || $method ne 'GET' ? undef : 'none',
    );
    for my $name (qw(Host Accept Sec-Fetch-Site Connection Cookie Content-Length)) {
        push @lines, "$name: $own{$name}" if !$given{ lc $name } && defined $own{$name} && length $own{$name};
    }
    while (my ($name, $value) = splice @given, 0, 2) {
        push @lines, "$name: $value" if defined $value;
    }
    return $self->raw(join("\r\n", @lines, '', '') . ($options{body} // ''));
}

# Sends octets as they are and reads one answer until the server closes.
sub raw {
    my ($self, $octets) = @_;
    my $socket = $self->_connect;
    local $SIG{PIPE} = 'IGNORE';
    my $answer = '';
    eval {
        local $SIG{ALRM} = sub { die "no answer within " . DEADLINE . " s\n" };
        alarm DEADLINE;
        print $socket $octets;
        $socket->flush;
        while (length $answer < LARGEST) {
            my $got = sysread $socket, $answer, 65536, length $answer;
            last if !$got;
        }
        alarm 0;
        1;
    } or do { alarm 0; $answer = '' };
    close $socket;
    my $response = Keycloak::Response->new($answer);
    $response->{origin} = $self->origin;
    $self->_keep($response);
    return $response;
}

sub _connect {
    my $self = shift;
    my %peer = (PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => DEADLINE);
    my $socket = $self->{tls}
        ? IO::Socket::SSL->new(%peer, SSL_hostname => $self->{host}, SSL_verifycn_name => $self->{host},
            SSL_ca_file => "$ENV{KC_ROOM}/ca.pem", SSL_verifycn_scheme => 'http')
        : IO::Socket::INET->new(%peer);
    die "cannot connect to port $self->{port}: $! " . ($self->{tls} ? $IO::Socket::SSL::SSL_ERROR : '') . "\n"
        if !$socket;
    return $socket;
}

# ---- cookies

sub cookie_header {
    my $self = shift;
    return join '; ', map { "$_=$self->{jar}{$_}" } sort keys %{ $self->{jar} };
}

sub _keep {
    my ($self, $response) = @_;
    for my $line ($response->all('Set-Cookie')) {
        my ($name, $value, $attributes) = $line =~ /^([^=;]+)=([^;]*)(.*)$/ or next;
        if ($attributes =~ /max-age=(?:0|-)/i || $attributes =~ /expires=[^;]*19[67]\d/i) {
            delete $self->{jar}{$name};
        } else {
            $self->{jar}{$name} = $value;
        }
    }
    return;
}

sub jar { return shift->{jar} }

sub session_name {
    my $self = shift;
    my ($name) = grep { /^(?:__Host-|__Secure-)?(?:keycloak|merged|borders)_session$/ } sort keys %{ $self->{jar} };
    return $name;
}

sub session { my $self = shift; my $name = $self->session_name; return $name && $self->{jar}{$name} }

sub login_names { my $self = shift; return grep { /keycloak_login_/ } sort keys %{ $self->{jar} } }

# ---- the way through sign-in

# The site's redirect to the provider, as an address.
sub start { my ($self, $path) = @_; return $self->get($path // '/')->header('Location') }

# What the provider sends the browser back with: the path and query of the callback.
sub authorize {
    my ($self, $url) = @_;
    return undef if !defined $url;
    my ($scheme, $port, $path) = $url =~ m{^(https?)://127\.0\.0\.1:(\d+)(/.*)$} or return undef;
    my $provider = Keycloak::Browser->new('provider', host => '127.0.0.1', tls => $scheme eq 'https');
    $provider->{port} = $port;
    my $back = $provider->get($path)->header('Location') // return undef;
    $self->{came_back_to} = $back;
    $back =~ s{^https?://[^/]*}{};
    return $back;
}

# sign_in(PATH): visits PATH, goes to the provider and comes back; the callback's answer, or the
# first one when it leads to no provider.
sub sign_in {
    my ($self, $path) = @_;
    my $start = $self->get($path // '/');
    my $back = $self->authorize($start->header('Location')) // return $start;
    return $self->get($back);
}

# back_from_logout(QUERY): what the realm's end_session_endpoint sends the browser back with; QUERY: of
# the request to that.
sub back_from_logout {
    my ($self, $query) = @_;
    my ($path) = ($query->{post_logout_redirect_uri} // '') =~ m{^\Q@{[$self->origin]}\E(/.*)} or return;
    return $self->get("$path?state=" . ($query->{state} // ''));
}

# Whether the backend is reached as a signed-in person: what the backend saw, or nothing.
sub seen {
    my ($self, $path, @headers) = @_;
    my $response = $self->get($path // '/seen', @headers);
    return $response->from_backend ? $response->json : undef;
}

1;
