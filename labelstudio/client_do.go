package labelstudio

import (
	"context"
	"net/url"
)

// Request is one request of the API that Client has no method for.
type Request struct {
	// Op says in an error what was tried, such as "delete task 3".
	Op string
	// Method and Path are the request's; the path is below Label Studio's address and
	// starts with /.
	Method, Path string
	Query        url.Values
	// Body is encoded as JSON; nil sends none.
	Body any
	// Slow gives it Options.SlowTimeout in place of Timeout.
	Slow bool
	// Into takes the JSON of a success, as json.Unmarshal does; nil for nothing.
	Into any
}

// Do makes a request with the retries, limits and errors of every other method. It may
// be sent twice unless it is a POST.
func (c *Client) Do(ctx context.Context, r Request) error {
	k := apiCall{op: r.Op, method: r.Method, path: r.Path, query: r.Query, body: r.Body, slow: r.Slow}
	if r.Into != nil {
		k.into = decodeInto(r.Into)
	}
	return c.do(ctx, k)
}
