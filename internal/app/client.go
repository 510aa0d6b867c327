package app

import (
	"fmt"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/internal/netguard"
)

// Client returns a client for the hone that runs with this configuration. It reads the token that the
// running hone stores; without one it sends none.
func Client(cfg config.Config) (*api.Client, error) {
	listen := cfg.Listen
	if cfg.AdminListen != "" {
		listen = cfg.AdminListen
	}
	base, err := api.BaseFromListen(listen, cfg.TLS.On())
	if err != nil {
		return nil, err
	}
	token := cfg.AdminToken.Reveal()
	if token == "" {
		if token, err = access.AdminToken(cfg.DataDir); err != nil {
			return nil, err
		}
	}
	cl := &api.Client{Base: base, Token: token}
	if cfg.TLS.On() {
		pinned, err := netguard.Pinned(cfg.TLS.Cert)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		cl.HTTP = api.Direct(pinned)
	}
	return cl, nil
}
