// An OpenTelemetry collector with the Prometheus receiver and nothing beyond what a test needs.
package main

import (
	"context"
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.uber.org/zap"
)

// Logs to standard error, and measures nothing of itself.
func logs() telemetry.Factory {
	none := func() component.Config { return &struct{}{} }
	create := func(context.Context, telemetry.LoggerSettings, component.Config) (
		*zap.Logger, component.ShutdownFunc, error,
	) {
		logger, err := zap.NewProduction()
		return logger, nil, err
	}
	return telemetry.NewFactory(none, telemetry.WithCreateLogger(create))
}

func factories() (otelcol.Factories, error) {
	prometheus, debug := prometheusreceiver.NewFactory(), debugexporter.NewFactory()
	return otelcol.Factories{
		Receivers: map[component.Type]receiver.Factory{prometheus.Type(): prometheus},
		Exporters: map[component.Type]exporter.Factory{debug.Type(): debug},
		Telemetry: logs(),
	}, nil
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "0.163.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
				DefaultScheme:     "file",
			},
		},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
