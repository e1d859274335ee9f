package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
)

// k8sVersions are the versions of ExecCredential that are spoken; the first
// where nobody says which.
func k8sVersions() []string {
	return []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}
}

func (a *app) credentialK8s() *cobra.Command {
	var minTTL time.Duration
	c := &cobra.Command{
		Use: "k8s", Aliases: []string{"kubernetes"}, SuggestFor: []string{"kubectl"}, Short: "Print an ExecCredential for kubectl", Args: cobra.NoArgs,
		Long: `Print an ExecCredential for kubectl and other programs of client-go, of the
version that KUBERNETES_EXEC_INFO asks for: client.authentication.k8s.io/v1 or
v1beta1.

The token goes to the cluster of whoever calls. With credential_host or --host it
goes to the API servers that they name, and to no other; the kubeconfig must then
say provideClusterInfo: true.`,
		Example: `  kubectl config set-credentials ats-auth --exec-api-version=client.authentication.k8s.io/v1 \
    --exec-interactive-mode=Never --exec-command=ats-auth --exec-arg=credential --exec-arg=k8s`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkMinTTL(c, minTTL); err != nil {
				return err
			}
			return a.runCredentialK8s(c.Context(), minTTL)
		},
	}
	a.later(c, func() {
		c.Flags().DurationVar(&minTTL, "min-ttl", 0, "give a token that lives that long at least, 5m say")
		a.settingFlags(c.Flags(), "credential_host")
	})
	return c
}

// execCredential is the object of both versions, as far as it is used here.
type execCredential struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Spec       execSpec    `json:"spec"`
	Status     *execStatus `json:"status,omitempty"`
}

type execSpec struct {
	Interactive bool         `json:"interactive"`
	Cluster     *execCluster `json:"cluster,omitempty"`
}

type execCluster struct {
	Server string `json:"server"`
}

type execStatus struct {
	ExpirationTimestamp string `json:"expirationTimestamp,omitempty"` // RFC 3339
	Token               string `json:"token"`
}

func (a *app) runCredentialK8s(ctx context.Context, minTTL time.Duration) error {
	object, err := a.execInfo()
	if err != nil {
		return err
	}
	if err := a.loadForTool(); err != nil {
		return err
	}
	if err := a.checkCluster(object.Spec.Cluster); err != nil {
		return err
	}
	set, err := a.freshToken(ctx, minTTL)
	if err == nil {
		err = bearerOnly(set)
	}
	if err != nil {
		return err
	}
	object.Spec = execSpec{Interactive: object.Spec.Interactive}
	object.Status = &execStatus{Token: set.AccessToken.Reveal()}
	if !set.ExpiresAt.IsZero() {
		object.Status.ExpirationTimestamp = set.ExpiresAt.UTC().Format(time.RFC3339)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Stdout, string(text))
	return err
}

// execInfo is what the caller says of itself.
func (a *app) execInfo() (execCredential, error) {
	object := execCredential{APIVersion: k8sVersions()[0], Kind: "ExecCredential"}
	text, _ := a.LookupEnv("KUBERNETES_EXEC_INFO")
	if text == "" {
		return object, nil
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil || object.Kind != "ExecCredential" {
		return object, command.Usage("KUBERNETES_EXEC_INFO is not an ExecCredential")
	}
	if !slices.Contains(k8sVersions(), object.APIVersion) {
		return object, command.Usage("KUBERNETES_EXEC_INFO asks for %q, which is not one of %s", safe(object.APIVersion), strings.Join(k8sVersions(), ", "))
	}
	return object, nil
}

// checkCluster refuses API servers that are not named, where some are.
func (a *app) checkCluster(cluster *execCluster) error {
	value := a.profile.Value("credential_host")
	if value.IsZero() {
		return nil
	}
	if cluster == nil || cluster.Server == "" {
		return &configError{problem: value.Source() + " says to which API servers the token may go, and the caller does not say which one it is for: the kubeconfig needs provideClusterInfo: true"}
	}
	places, err := a.places(a.saved.login)
	if err == nil && !mayHave(places, cluster.Server) {
		err = &configError{problem: fmt.Sprintf("the token may not go to %s: %s does not name it", safe(cluster.Server), value.Source())}
	}
	return err
}
