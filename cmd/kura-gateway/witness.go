package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"kura/api"
	"kura/signer/rpc"
)

// witnessTimeout bounds one request to a witness.
const witnessTimeout = 10 * time.Second

// newCouriers makes one courier for each witness.
func newCouriers(witnesses []witnessConfig, signer rpc.Witnessed, log *slog.Logger) ([]*api.Courier, error) {
	var all []*api.Courier
	for i, w := range witnesses {
		config := &tls.Config{MinVersion: tls.VersionTLS13}
		if w.CA != "" {
			pool, err := loadPool(w.CA)
			if err != nil {
				return nil, fmt.Errorf("witness[%d].ca: %w", i, err)
			}
			config.RootCAs = pool
		}
		all = append(all, &api.Courier{
			Name: w.Name, URL: w.URL, Signer: signer, Log: log,
			Client: &http.Client{
				Timeout:   witnessTimeout,
				Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true},
				// A witness is where the configuration says, and nowhere else.
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
		})
	}
	return all, nil
}
