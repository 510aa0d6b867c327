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

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/webhook"
)

const (
	// maxConns bounds the connections at one address, if hone may open enough files. Label
	// Studio opens a new one for each call, a few at a time.
	maxConns = 1024
	// minConns is the least bound, however few files hone may open: it must exceed the number
	// of clients that have connected and not yet authenticated.
	minConns = 16
	// maxHeader bounds the header of a request in bytes. Label Studio's has some hundred.
	maxHeader = 64 << 10
)

// port is an address that hone serves.
type port struct {
	net.Listener
	server *http.Server
}

// listen opens an address. key is the name of its setting, for errors.
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

// number returns the TCP port.
func (p *port) number() int {
	ap, err := netip.ParseAddrPort(p.Addr().String())
	if err != nil {
		return 0
	}
	return int(ap.Port())
}

// connLimit returns the bound of connections for each of several addresses when the process may
// have so many files open, 0 if unknown. Callers without a credential must not use up all
// files: hone could then accept no connection of those who have one.
func connLimit(files uint64, addresses int) int {
	if files == 0 {
		return maxConns
	}
	// A quarter is for the database and for what hone itself calls; and the bound may
	// be exceeded up to twice.
	share := int(min(files, 1<<20)) * 3 / 4 / (2 * addresses)
	return max(minConns, min(maxConns, share))
}

// prepare returns the server of a port, for at most so many connections.
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
		// Errors of connections go to the debug level: strangers cause them, and must not
		// fill the log nor write to it unredacted.
		ErrorLog:    log.New(&connErrors{logger}, "", 0),
		ConnContext: conns.Context,
		ConnState:   conns.State,
	}
}

// connErrors writes errors of net/http to the log, at debug level.
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

// wireHTTP connects routes with their gates. If there is a second address, only that one serves
// /api and /metrics.
func (a *App) wireHTTP() (err error) {
	secure, err := a.serverTLS()
	if err != nil {
		return err
	}
	proxies, err := a.cfg.TrustedProxies.Prefixes()
	if err != nil {
		return fmt.Errorf("trusted_proxies: %w", err)
	}
	own := &api.Server{
		Projects: apiProjects{a}, Predictor: predictor{a}, Prelabeller: prelabeller{a}, Publisher: publisher{a.Pipeline}, DeadLetters: deadLetters{a.Pipeline}, Connector: connector{a}, Configurer: configurer{a}, Describer: describer{a}, Backup: a.Store,
		Secrets: secrets{a.Keys, a.Connection, a.log}, Metrics: promhttp.HandlerFor(a.Registry, promhttp.HandlerOpts{}), Ready: a.readiness,
	}
	ownGate := a.gate(a.ports[len(a.ports)-1])
	site := a.page(own, ownGate)
	home := site.Home
	if len(a.ports) > 1 {
		home = nil // the address that Label Studio calls has no page
	}
	a.Webhook, err = webhook.New(webhook.Options{
		Publisher: a.Pipeline, Predictor: a.Learner, Projects: projects{a.Learner}, Adopter: registrar{a.Store, a.Pipeline, a.Learner, a.Connection, a.log},
		Gate: a.gate(a.ports[0]), Identity: a.Keys.Identity(), TrustedProxies: proxies, Unregistered: a.Connection.Unregistered,
		MaxWebhookBytes: int64(a.cfg.Webhook.MaxBody), MaxPredictBytes: int64(a.cfg.Webhook.MaxPredictBody), StoreTimeout: a.cfg.Webhook.StoreTimeout,
		Home: home, OnPredict: a.Sampler.OnPredictRequest, OnProjectUpdated: a.Connection.SamplingSeen,
		Logger: a.log, Registerer: a.Registry,
	})
	if err != nil {
		return err
	}
	a.Engines = append(a.Engines, a.Webhook.Engine())
	if len(a.ports) > 1 {
		bare := a.Webhook.Bare(ownGate)
		bare.GET("/", func(c *gin.Context) { site.Home(c) })
		a.Engines = append(a.Engines, bare)
	}
	last := a.Engines[len(a.Engines)-1]
	own.Register(last)
	site.Register(last)
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
