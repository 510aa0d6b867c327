package labelstudio

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/secret"
)

// shortSecret is the least length of a secret that is searched for in a text: shorter ones
// occur in ordinary words.
const shortSecret = 4

// userInfos matches the user infos of URLs in a text. A password may hold a slash, although
// that makes the URL invalid; then what follows the colon is no port.
var userInfos = regexp.MustCompile(`://(?:[^\s/?#]*|[^\s/?#:@]*:[0-9]*[^\s0-9/?#][^\s@]*)@`)

// removeSecrets removes user infos and the given secrets from a text that Label Studio or the
// network wrote.
func removeSecrets(text string, secrets ...secret.Secret) string {
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b secret.Secret) int { return cmp.Compare(len(b), len(a)) }) // one may be part of another
	for _, s := range secrets {
		if len(s) >= shortSecret {
			text = strings.ReplaceAll(text, s.Reveal(), secret.Hidden)
		}
	}
	return userInfos.ReplaceAllString(text, "://")
}

// addressSecrets returns the forms in which an address's password may be quoted: with the
// user, percent-encoded as written, and decoded.
func addressSecrets(address string) []secret.Secret {
	_, meant, _ := UserInfo(address)
	at := strings.LastIndexByte(address, '@')
	if at < 0 || WithoutUserInfo(address) == address {
		return nil
	}
	both := address[:at]
	if p, ok := cutAddress(address); ok {
		both = address[len(p.head) : len(address)-len(p.tail)-1]
	} else if _, after, found := strings.Cut(both, "://"); found {
		both = after
	}
	_, written, found := strings.Cut(both, ":")
	if !found { // a mere user name, which may be a word of the text
		return nil
	}
	return []secret.Secret{secret.Secret(both), secret.Secret(written), meant}
}

// printStruct prints a struct as fmt does, for its Format method; %s prints the
// fields too.
func printStruct(f fmt.State, verb rune, v any) {
	format := fmt.FormatString(f, verb)
	if verb == 's' {
		format = "%+v"
	}
	_, _ = fmt.Fprintf(f, format, v)
}
