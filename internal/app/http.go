package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // net/http takes no other
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/webhook"
)

const (
	// maxConns bounds the connections at one address, where hone may open enough
	// files. Label Studio makes a new one for each call, a few at a time.
	maxConns = 1024
	// minConns is kept however few they are: the bound must be above the clients
	// between connecting and proving themselves.
	minConns = 16
	// maxHeader bounds the head of a request; Label Studio's has some hundred bytes.
	maxHeader = 64 << 10
)

// port is one address that hone serves.
type port struct {
	net.Listener
	server *http.Server
}

// listen opens an address; key names its setting.
func (a *App) listen(key, address string) error {
	open := a.seams.Listen
	if open == nil {
		open = func(address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		}
	}
	l, err := open(address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with %s", address, err, key)
	}
	a.ports = append(a.ports, &port{Listener: l})
	return nil
}

// number is the port's number.
func (p *port) number() int {
	ap, err := netip.ParseAddrPort(p.Addr().String())
	if err != nil {
		return 0
	}
	return int(ap.Port())
}

// connLimit is the bound for each of some addresses when the process may hold so many
// files open, 0 meaning that nobody knows. Strangers must not take them all: out of
// files, hone could not even accept the connection of one who has the secret.
func connLimit(files uint64, addresses int) int {
	if files == 0 {
		return maxConns
	}
	// A quarter is for the database and for what hone itself calls; and the bound may
	// be exceeded up to twice.
	share := int(min(files, 1<<20)) * 3 / 4 / (2 * addresses)
	return max(minConns, min(maxConns, share))
}

// prepare makes the server that serve runs, for at most so many connections.
func (p *port) prepare(h http.Handler, secure *tls.Config, limit int, logger *logrus.Entry) {
	conns := netguard.NewConns(limit)
	p.Listener = conns.Listen(p.Listener)
	p.server = &http.Server{
		Handler:           h,
		TLSConfig:         secure,
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: 5 * time.Second,
		// Bodies of /predict are large and answers to it slow; Label Studio gives up
		// after 100 s.
		ReadTimeout:  2 * time.Minute,
		WriteTimeout: 10 * time.Minute,
		IdleTimeout:  2 * time.Minute,
		// What strangers' connections go wrong with is theirs to know; the log must
		// neither fill up with it nor get it past the redaction.
		ErrorLog:    log.New(&connErrors{logger}, "", 0),
		ConnContext: conns.Context,
		ConnState:   conns.State,
	}
}

// connErrors writes net/http's complaints to the log, at debug level.
type connErrors struct{ *logrus.Entry }

func (c *connErrors) Write(line []byte) (int, error) {
	c.Debug(strings.TrimSpace(string(line[:min(len(line), 300)])))
	return len(line), nil
}

func (p *port) serve() error {
	serve := p.server.Serve
	if p.server.TLSConfig != nil {
		serve = func(l net.Listener) error { return p.server.ServeTLS(l, "", "") }
	}
	if err := serve(p.Listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// wireHTTP puts the routes behind their gates. Where there is a second address,
// /api and /metrics are there and nowhere else.
func (a *App) wireHTTP() (err error) {
	secure, err := a.serverTLS()
	if err != nil {
		return err
	}
	proxies, err := a.cfg.TrustedProxies.Prefixes()
	if err != nil {
		return fmt.Errorf("trusted_proxies: %w", err)
	}
	a.Webhook, err = webhook.New(webhook.Options{
		Publisher: a.Pipeline, Predictor: a.Learner, Projects: projects{a.Learner}, Adopter: registrar{a.Store, a.Pipeline, a.Learner, a.Connection, a.log},
		Gate: a.gate(a.ports[0]), Identity: a.Keys.Identity(), TrustedProxies: proxies, Unregistered: a.Connection.Unregistered,
		MaxWebhookBytes: int64(a.cfg.Webhook.MaxBody), MaxPredictBytes: int64(a.cfg.Webhook.MaxPredictBody), StoreTimeout: a.cfg.Webhook.StoreTimeout,
		OnPredict: a.Sampler.OnPredictRequest,
		Logger:    a.log, Registerer: a.Registry,
	})
	if err != nil {
		return err
	}
	own := &api.Server{
		Projects: apiProjects{a}, Publisher: publisher{a.Pipeline}, DeadLetters: deadLetters{a.Pipeline}, Connector: connector{a.Pipeline, a.Learner, a.Sampler, a.Connection}, Configurer: configurer{a}, Backup: a.Store,
		Secrets: secrets{a.Keys, a.Connection, a.log}, Metrics: promhttp.HandlerFor(a.Registry, promhttp.HandlerOpts{}), Ready: a.readiness,
	}
	a.Engines = append(a.Engines, a.Webhook.Engine())
	if len(a.ports) > 1 {
		a.Engines = append(a.Engines, a.Webhook.Bare(a.gate(a.ports[1])))
	}
	own.Register(a.Engines[len(a.Engines)-1])
	limit := connLimit(openFiles(), len(a.ports))
	for i, e := range a.Engines {
		own.RegisterProbes(e)
		a.ports[i].prepare(e, secure, limit, a.part("http"))
	}
	return nil
}

func (a *App) gate(p *port) *access.Gate {
	return access.NewGate(a.Keys, access.GateOptions{
		Addr: p.Addr(), Insecure: a.cfg.Insecure, AllowedHosts: a.cfg.AllowedHosts.Values(), Upgrading: a.upgrading.Load,
	})
}

func (a *App) serverTLS() (*tls.Config, error) {
	if !a.cfg.TLS.On() {
		return nil, nil //nolint:nilnil // no TLS, no fault
	}
	return netguard.LoadServer(a.cfg.TLS.Cert, a.cfg.TLS.Key, func(err error) {
		a.log.WithError(err).Warn("the certificate (tls.cert, tls.key) cannot be read again; hone goes on with the one it has")
	})
}
