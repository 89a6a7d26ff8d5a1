# SPDX-License-Identifier: Apache-2.0
# Control of what surrounds the module: the provider's realms, the backend's visitors, httpd's logs.
package Keycloak::World;
use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use JSON::PP qw(encode_json decode_json);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(realm hits visitors error_log query_of wait_until true_after escape log_mark log_since);

my $http = HTTP::Tiny->new(timeout => 60);

# realm(NAME): a realm of the provider; "tls:NAME" for one behind https.
sub realm { my $name = shift; return bless { url => "$ENV{KC_PROVIDER}/control/$name", name => $name }, 'Keycloak::Realm' }

# Asks the backend about one site: what it saw of all of them grows over the run.
sub _backend {
    my ($what, $site) = @_;
    my $response = $http->get("http://127.0.0.1:$ENV{KC_BACKEND_PORT}/$what/$site");
    die "the backend does not answer: $response->{status}\n" if $response->{status} != 200;
    return $response->{content};
}

# What the backend saw from a site.
sub visitors { my $site = shift; return @{ decode_json(_backend('visitors', $site)) } }

# How often the backend was reached from a site.
sub hits { my $site = shift; return 0 + _backend('hits', $site) }

# What the error log has from octet $mark on.
sub log_since {
    my ($mark, $name) = @_;
    open my $file, '<', _log_path($name) or return '';
    seek $file, $mark, 0;
    local $/;
    return <$file> // '';
}
sub error_log { return log_since(0, @_) }

# Where the error log ends now, in octets.
sub log_mark { return -s _log_path(@_) || 0 }

sub _log_path { return "$ENV{KC_ROOM}/t/logs/" . (shift // 'error_log') }

# The parameters of an address, in their order.
sub query_of {
    my $url = shift // '';
    my ($query) = $url =~ /\?([^#]*)/;
    my @pairs = map { [map { my $text = $_ // ''; $text =~ tr/+/ /; $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; $text } split /=/, $_, 2] }
        split /&/, $query // '';
    return wantarray ? @pairs : { map { @$_ } @pairs };
}

sub escape { my $text = shift; $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge; return $text }

use constant PATIENCE => 60;    # seconds: no test waits in vain unless something is wrong

# wait_until(CONDITION): true as soon as the sub says so.
sub wait_until {
    my $condition = shift;
    my $end = time + PATIENCE;
    while (time < $end) {
        my $result = $condition->();
        return $result if $result;
        sleep 0.1;
    }
    return;
}

# true_after(SECONDS, CONDITION): the sub is asked until it says so; false when one that was asked later than so many
# seconds from now still did not. So it judges the server, and not how fast the machine is.
sub true_after {
    my ($seconds, $condition) = @_;
    my $since = time;
    while (1) {
        my $began = time;
        return 1 if $condition->();
        return if $began - $since > $seconds;
        sleep 0.05;
    }
}

package Keycloak::Realm;
use strict;
use warnings;
use JSON::PP qw(encode_json decode_json);

sub _call {
    my ($self, $method, $path, $body) = @_;
    my $response = $http->request($method, $self->{url} . $path, { content => $body // '' });
    die "control of $self->{name}: $response->{status} $response->{content}\n" if $response->{status} != 200;
    return decode_json($response->{content} eq 'null' ? '{}' : $response->{content});
}

sub set    { my ($self, %change) = @_; $self->_call('PUT', '', encode_json(\%change)); return $self }
sub reset  { my $self = shift; $self->_call('DELETE', ''); return $self }
sub rotate { my $self = shift; $self->_call('POST', '/rotate'); return $self }
sub retire { my $self = shift; $self->_call('POST', '/retire'); return $self }
sub logout_token { my ($self, %change) = @_; return $self->_call('POST', '/logout', encode_json(\%change))->{logout_token} }
sub bearer_token { my ($self, %change) = @_; return $self->_call('POST', '/bearer', encode_json(\%change))->{token} }
sub forget { my $self = shift; $self->_call('DELETE', '/log'); return $self }

# Requests so far; of one endpoint when named.
sub log {
    my ($self, $endpoint) = @_;
    my @entries = @{ $self->_call('GET', '/log') };
    return grep { !defined $endpoint || $_->{endpoint} eq $endpoint } @entries;
}

sub param {
    my ($entry, $name) = @_;
    return (map { $_->[1] } grep { $_->[0] eq $name } @{ $entry->{params} })[0];
}

sub header {
    my ($entry, $name) = @_;
    return (map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $entry->{headers} })[0];
}

1;
