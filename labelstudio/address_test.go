package labelstudio

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/secret"
)

func TestCheckHookHost(t *testing.T) {
	for _, good := range []string{
		"http://localhost:9090", "http://LOCALHOST", "https://hone.internal:9090/webhook", "http://hone:SECRET@hone.internal:9090",
		"http://127.0.0.1:9090", "http://hone:SECRET@10.0.0.7", "http://0.0.0.0", "http://[::1]:9090", "http://[::ffff:10.0.0.1]", "http://hone:SECRET@[fd00::1]:9090",
		"http://a.b-c.internal", "http://hone.internal.:9090", "http://HONE.Internal", "http://bücher.de", "http://пример.рф", "http://hone.xn--p1ai", "http://1.2.3.com",
		"http://" + strings.Repeat("a", 63) + ".internal", "http://a." + strings.Repeat("b", 63), "http://hone.a-b", "http://host.docker.internal",
	} {
		require.NoError(t, CheckHookHost(good), good)
	}
	for _, tt := range []struct{ bad, says string }{
		{"http://hone:9090", `"hone"`},
		{"http://hone:SECRET@hone:9090/webhook", "no dot"},
		{"http://localhost.:9090", "no dot"},
		{"http://my_host.internal", `"my_host"`},
		{"http://-a.internal", "hyphen"},
		{"http://a-.internal", "hyphen"},
		{"http://a.b-", "hyphen"},
		{"http://a..internal", "empty part"},
		{"http://.internal", "empty part"},
		{"http://hone.x", `"x"`},
		{"http://hone.x1", `"x1"`},
		{"http://hone.123", `"123"`},
		{"http://1.2.3", "IP address"},
		{"http://1.2.3.4.5", "IP address"},
		{"http://256.1.1.1", "IP address"},
		{"http://01.2.3.4", "IP address"},
		{"http://hone.xn--é1", "two letters"},
		{"http://" + strings.Repeat("a", 64) + ".internal", "63"},
		{"http://" + strings.Repeat("a.", 126) + "internal", "253"},
		{"http://😀.internal", "letters"},
		{"http://b%C3%BCcher.de", "letters"},
		{"http://[:::]:9090", ""},
		{"http://[1.2.3.4]", ""},
		{"http://[fe80::1%25eth0]", "IPv6"},
		{"http://hone.internal:", `port ""`},
		{"http://hone.internal:123456", "123456"},
		{"", "http://hone.internal:9090"},
		{"hone.internal:9090", "cannot be read"},
		{"hone:SECRET@hone.internal:9090", "cannot be read"},
		{"http://hone:SECRET", "cannot be read"},
		{"http://hone:SECRET/x@hone.internal", "cannot be read"},
		{"ftp://hone.internal", "cannot be read"},
		{"http://", "cannot be read"},
		{"http://:9090", "cannot be read"},
	} {
		err := CheckHookHost(tt.bad)
		require.ErrorContains(t, err, tt.says, tt.bad)
		require.ErrorContains(t, err, "hone.internal", "the fix")
		require.NotContains(t, err.Error(), "SECRET")
	}
	require.EqualError(t, CheckHookHost("http://hone:9090"), `the host "hone" cannot be in a webhook's URL, Label Studio refuses it: it has no dot; use a name with a dot such as hone.internal (a network alias of hone's container), or the IP address`)
}

func TestUserInfo(t *testing.T) {
	for _, tt := range []struct {
		address, user, pass string
		ok                  bool
		without             string
	}{
		{"http://hone:9090", "", "", false, "http://hone:9090"},
		{"http://u:p@hone:9090/a?b#c", "u", "p", true, "http://hone:9090/a?b#c"},
		{"http://u@hone", "u", "", true, "http://hone"},
		{"http://:p@hone", "", "p", true, "http://hone"},
		{"http://u:@hone/%41", "u", "", true, "http://hone/%41"},
		{"http://u:p%40%2F%20@hone/", "u", "p@/ ", true, "http://hone/"},
		{"http://u:p@x@[::1]:80", "u", "p@x", true, "http://[::1]:80"},
		{"http://hone/a@b", "", "", false, "http://hone/a@b"},
		{"http://u:p@hone/a@b?c@d#e@f", "u", "p", true, "http://hone/a@b?c@d#e@f"},
		// Cannot be read: rather too much is left out.
		{"http://u:p/w@hone", "", "", false, "http://hone"},
		{"http://u:p w@hone", "", "", false, "http://hone"},
		{"http://u:p?w@hone", "", "", false, "http://hone"},
		{"u:p@hone:9090", "", "", false, "hone:9090"},
		{"u:p://x@hone", "", "", false, "hone"},
		{"http://u:p@", "", "", false, "http://"},
		{"hone:9090", "", "", false, "hone:9090"},
		{"", "", "", false, ""},
	} {
		user, pass, ok := UserInfo(tt.address)
		require.Equal(t, tt.user, user, tt.address)
		require.Equal(t, tt.pass, pass.Reveal(), tt.address)
		require.Equal(t, tt.ok, ok, tt.address)
		require.Equal(t, tt.without, WithoutUserInfo(tt.address), tt.address)
	}
	require.Equal(t, "http://hone:a%40%2Fb%3A@h.internal/x", WithUserInfo("http://old:one@h.internal/x", "hone", "a@/b:"))
	require.NoError(t, CheckHookHost(WithUserInfo("http://h.internal/x", "hone", "a@/b:")))
	require.Equal(t, "http://h/x", WithUserInfo("http://u:p@h/x", "", ""))
	require.Equal(t, "hone", WithUserInfo("hone", "u", "p"), "cannot be read")
}

func TestSameHook(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"http://u:p@Hone.internal:80/webhook/", "http://hone.internal/webhook", true},
		{"https://hone.internal:443/webhook", "http://x@hone.internal:443/webhook//", true},
		{"https://hone.internal", "http://hone.internal", false},
		{"http://hone.internal/", "http://hone.internal", true},
		{"http://hone.internal:80/webhook", "http://hone.internal:9090/webhook", false},
		{"http://hone.internal/webhook", "http://hone.internal/other", false},
		{"http://hone.internal/webhook", "http://hone.internal/Webhook", false},
		{"http://hone.internal/webhook", "http://other.internal/webhook", false},
		{"http://[::1]/webhook", "http://[::1]:80/webhook", true},
		{"hone:9090", "hone:9090", true},
		{"hone:9090", "hone:9090/", false},
		{"http://hone.internal", "hone.internal", false},
		{"", "", true},
	} {
		require.Equal(t, tt.want, SameHook(tt.a, tt.b), "%s %s", tt.a, tt.b)
		require.Equal(t, tt.want, SameHook(tt.b, tt.a), "%s %s", tt.b, tt.a)
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"http://hone.internal:9090/webhook", "http://u:p@[::1]", "u:p/w@x", "//a@b", "http://a/b@c", "http://x#//@"} {
		f.Add(s, "hone", "p@ss/w:rd", "/x@y")
	}
	f.Fuzz(func(t *testing.T, address, user, pass, junk string) {
		err := CheckHookHost(address)
		without := WithoutUserInfo(address)
		require.Equal(t, without, WithoutUserInfo(without))
		_, _, ok := UserInfo(without)
		require.False(t, ok)
		require.True(t, SameHook(address, address))

		// Whatever a password is written like, and whatever else is wrong.
		const marker = "qSECRETq"
		written := "http://u:" + marker + junk + "@" + pass
		require.NotContains(t, WithoutUserInfo(written), marker)
		if bad := CheckHookHost(written); bad != nil {
			require.NotContains(t, bad.Error(), marker)
		}
		require.NotContains(t, removeSecrets("of url: "+written, addressSecrets(written)...), marker)

		if _, readable := cutAddress(address); !readable || user == "" && pass == "" {
			return
		}
		with := WithUserInfo(address, user, secret.Secret(pass))
		gotUser, gotPass, ok := UserInfo(with)
		require.True(t, ok, with)
		require.Equal(t, user, gotUser)
		require.Equal(t, pass, gotPass.Reveal())
		require.Equal(t, without, WithoutUserInfo(with))
		require.True(t, SameHook(address, with))
		require.Equal(t, err, CheckHookHost(with))
	})
}
