use Test::More;
use Keycloak::Expect;
my $b = browser('plain'); my $r=$b->get('/');
is $r->status, 200; diag $r->text;
done_testing;
