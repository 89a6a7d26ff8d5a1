# SPDX-License-Identifier: Apache-2.0
# An HTTP answer taken apart, header lines in their order.
package Keycloak::Response;
use strict;
use warnings;
use JSON::PP ();

sub new {
    my ($class, $octets) = @_;
    my ($head, $body) = split /\r\n\r\n/, $octets, 2;
    # An interim answer comes before the answer.
    ($head, $body) = split /\r\n\r\n/, $body, 2 if defined $head && $head =~ m{^HTTP/1\.1 1\d\d};
    my ($line, @lines) = split /\r\n/, $head // '';
    my ($status) = ($line // '') =~ m{^HTTP/\S+ (\d+)};
    my $self = bless { status => $status // 0, headers => [map { [split /:\s*/, $_, 2] } @lines], raw => $octets },
        $class;
    $body //= '';
    $body = _unchunk($body) if lc($self->header('Transfer-Encoding') // '') eq 'chunked';
    $self->{body} = $body;
    return $self;
}

sub _unchunk {
    my $rest = shift;
    my $whole = '';
    while ($rest =~ s/^([0-9A-Fa-f]+)[^\r\n]*\r\n//) {
        my $size = hex $1;
        last if !$size;
        $whole .= substr $rest, 0, $size;
        $rest = length $rest > $size + 2 ? substr $rest, $size + 2 : '';
    }
    return $whole;
}

sub status { return shift->{status} }
sub body   { return shift->{body} }
sub text   { return shift->{raw} }

sub all {
    my ($self, $name) = @_;
    return map { $_->[1] // '' } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}

sub header { my ($self, $name) = @_; return ($self->all($name))[0] }

# Where a redirect leads: a path when it is of the site that was asked.
sub led_to {
    my $self = shift;
    my $location = $self->header('Location');
    my $origin = $self->{origin};
    $location =~ s{^\Q$origin\E(?=/)}{} if defined $location && defined $origin;
    return $location;
}

sub json { my $self = shift; return eval { JSON::PP::decode_json($self->{body}) } }

# The tag of the error page or JSON.
sub tag { my $self = shift; return $self->{body} =~ /\b(KC\d{4})\b/ ? $1 : '' }

sub from_backend { my $self = shift; return scalar grep { $_->[0] eq 'X-Backend' } @{ $self->{headers} } }

# Set-Cookie lines that give a session, deletions left out.
sub session_cookies {
    my $self = shift;
    return grep { /^(?:__Host-|__Secure-)?(?:keycloak|merged|borders)_session=[^;]/ && !/max-age=0/i } $self->all('Set-Cookie');
}

1;
