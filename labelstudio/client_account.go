package labelstudio

import (
	"context"
	"net/http"

	"github.com/hone-ml/hone/event"
)

// User is the person a token belongs to.
type User struct {
	ID    event.UserID `json:"id"`
	Email string       `json:"email"`
	Name  string       `json:"username"`
	// Organization is the id of the one whose projects the user sees, 0 when somebody has
	// removed the user: Label Studio then answers 404 for every project and lists none.
	Organization int64 `json:"active_organization"`
}

// Version reads Label Studio's release, such as "1.23.2". It needs no token and
// sends none.
func (c *Client) Version(ctx context.Context) (string, error) {
	var answer struct {
		Release string `json:"release"`
	}
	err := c.do(ctx, apiCall{op: "read Label Studio's version", method: http.MethodGet, path: "/api/version/", anonymous: true, into: decodeInto(&answer)})
	return answer.Release, err
}

// WhoAmI reads whose token it is; the cheapest call that proves the token good.
func (c *Client) WhoAmI(ctx context.Context) (User, error) {
	var u User
	err := c.do(ctx, apiCall{op: "check the token", method: http.MethodGet, path: "/api/current-user/whoami", into: decodeInto(&u)})
	return u, err
}

// TokenSettings says which kinds of token the organisation accepts.
type TokenSettings struct {
	PersonalAccessTokens bool `json:"api_tokens_enabled"`
	LegacyTokens         bool `json:"legacy_api_tokens_enabled"`
}

// TokenSettings reads which kinds of token the organisation accepts.
func (c *Client) TokenSettings(ctx context.Context) (TokenSettings, error) {
	var s TokenSettings
	err := c.do(ctx, apiCall{op: "read the token settings", method: http.MethodGet, path: "/api/jwt/settings", into: decodeInto(&s)})
	return s, err
}
