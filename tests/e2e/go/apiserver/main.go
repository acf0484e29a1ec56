// Command apiserver runs etcd and kube-apiserver, both real and unchanged, in one process on loopback.
//
// It exists for tests: objects live in --dir and survive a restart, etcd does not wait for the disk, and
// nothing but the API server itself runs (no scheduler, no controllers, no kubelet), so that a test owns
// every field of every object.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	dir := flag.String("dir", "", "directory for etcd's data, certificates, tokens and the kubeconfig (required)")
	port := flag.Int("port", 0, "port of the API server on 127.0.0.1; 0 picks one, and a restart keeps it")
	etcdPort := flag.Int("etcd-port", 0, "port of etcd on 127.0.0.1; 0 picks one")
	startTimeout := flag.Duration("start-timeout", 2*time.Minute, "how long to wait until the API server is ready")
	gates := flag.String("feature-gates", "", "feature gates of the API server that differ from its defaults, as NAME=BOOL,...")
	flag.Parse()
	if err := run(*dir, *port, *etcdPort, *startTimeout, *gates); err != nil {
		fmt.Fprintln(os.Stderr, "apiserver:", err)
		os.Exit(1)
	}
}

func run(dir string, port, etcdPort int, startTimeout time.Duration, gates string) error {
	if dir == "" {
		return fmt.Errorf("--dir is missing")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	port, err := choosePort(filepath.Join(dir, "port"), port)
	if err != nil {
		return err
	}
	token, err := keep(filepath.Join(dir, "token"), newToken)
	if err != nil {
		return err
	}
	key := filepath.Join(dir, "service-account.key")
	if _, err := keep(key, newKey); err != nil {
		return err
	}
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(tokenFile(token)), 0o600); err != nil {
		return err
	}

	etcd, etcdURL, err := startEtcd(dir, etcdPort)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	defer etcd.Close()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	command := app.NewAPIServerCommand()
	command.SetArgs(apiserverFlags(dir, etcdURL, tokens, key, port, gates))
	command.SilenceUsage = true
	done := make(chan error, 1)
	// The command's own signal handler would exit the process before etcd has closed; ours ends the context.
	go func() { done <- command.ExecuteContext(ctx) }()

	if err := announce(ctx, dir, port, token, startTimeout, done); err != nil {
		return err
	}
	select {
	case err = <-done:
		if ctx.Err() == nil {
			return fmt.Errorf("kube-apiserver ended by itself: %w", err)
		}
	case <-ctx.Done():
		// Open watches keep a graceful shutdown waiting; a test has no use for that.
		select {
		case <-done:
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}

// announce waits until the API server is ready, writes the kubeconfig and says so on standard output.
func announce(ctx context.Context, dir string, port int, token string, timeout time.Duration, done <-chan error) error {
	deadline := time.Now().Add(timeout)
	certificate := filepath.Join(dir, "certs", "apiserver.crt")
	for {
		select {
		case err := <-done:
			return fmt.Errorf("kube-apiserver ended while starting: %w", err)
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
		if err := ready(certificate, port, token); err == nil {
			break
		} else if time.Now().After(deadline) {
			return fmt.Errorf("kube-apiserver was not ready within %s: %w", timeout, err)
		}
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := writeAtomically(kubeconfig, kubeconfigText(certificate, port, token)); err != nil {
		return err
	}
	fmt.Printf("ready https://127.0.0.1:%d kubeconfig=%s\n", port, kubeconfig)
	return nil
}

func ready(certificate string, port int, token string) error {
	pemBytes, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pemBytes) {
		return fmt.Errorf("%s holds no certificate", certificate)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/readyz", port), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answered %s", response.Status)
	}
	return nil
}

func apiserverFlags(dir, etcdURL, tokens, key string, port int, gates string) []string {
	flags := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--cert-dir=" + filepath.Join(dir, "certs"),
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--token-auth-file=" + tokens,
		"--authorization-mode=RBAC",
		// Pods need no service account token, and nobody runs who would mint one.
		"--disable-admission-plugins=ServiceAccount",
		// Loopback is refused here. Nothing connects to it.
		"--advertise-address=192.0.2.1",
		"--endpoint-reconciler-type=none",
		// Tests write in bursts; neither throttling nor an audit of them is what they are about.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=0",
		"--max-mutating-requests-inflight=0",
		"--shutdown-delay-duration=0s",
		"--profiling=false",
	}
	if gates != "" {
		flags = append(flags, "--feature-gates="+gates)
	}
	return flags
}

func startEtcd(dir string, port int) (*embed.Etcd, string, error) {
	client, err := loopbackURL(port)
	if err != nil {
		return nil, "", err
	}
	peer, err := loopbackURL(0)
	if err != nil {
		return nil, "", err
	}
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	config.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, "", err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, client.String(), nil
	case err := <-etcd.Err():
		return nil, "", err
	case <-time.After(time.Minute):
		etcd.Close()
		return nil, "", fmt.Errorf("etcd was not ready within a minute")
	}
}

func loopbackURL(port int) (*url.URL, error) {
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return nil, err
		}
	}
	return &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// choosePort takes what the caller wants, else what the last run had (clients keep their kubeconfig), else a free one.
func choosePort(file string, wanted int) (int, error) {
	if wanted != 0 {
		return wanted, os.WriteFile(file, []byte(strconv.Itoa(wanted)), 0o600)
	}
	text, err := keep(file, func() (string, error) {
		port, err := freePort()
		return strconv.Itoa(port), err
	})
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// keep returns what the file says, and writes it first if there is none yet.
func keep(file string, create func() (string, error)) (string, error) {
	content, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !os.IsNotExist(err) {
		return "", err
	}
	text, err := create()
	if err != nil {
		return "", err
	}
	return text, writeAtomically(file, text)
}

func writeAtomically(file, content string) error {
	next := file + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}

func newToken() (string, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	return hex.EncodeToString(random), nil
}

func newKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return string(pem.EncodeToMemory(block)), nil
}

// tokenFile names one administrator; everybody else is a matter of RBAC objects.
func tokenFile(token string) string {
	return token + `,admin,admin,"system:masters"` + "\n"
}

func kubeconfigText(certificate string, port int, token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
  - name: test
    cluster:
      server: https://127.0.0.1:%d
      certificate-authority: %s
contexts:
  - name: test
    context:
      cluster: test
      user: admin
users:
  - name: admin
    user:
      token: %s
`, port, certificate, token)
}
