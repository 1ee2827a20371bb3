// SPDX-License-Identifier: Apache-2.0

package kubecask

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	kubeadmapi "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/constants"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/configfile"
)

// clusterDocument is what is read here of a ClusterConfiguration.
type clusterDocument struct {
	Period metav1.Duration `json:"certificateValidityPeriod"`
}

// ReadPeriod gives cfg the certificateValidityPeriod that is stored in the cluster.
func ReadPeriod(client kubernetes.Interface, cfg *kubeadmapi.ClusterConfiguration) error {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	configMap, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, constants.KubeadmConfigConfigMap, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read certificateValidityPeriod: %w", err)
	}
	var document clusterDocument
	if err := yaml.Unmarshal([]byte(configMap.Data[constants.ClusterConfigurationConfigMapKey]), &document); err != nil {
		return fmt.Errorf("ConfigMap %s/%s: %w", metav1.NamespaceSystem, constants.KubeadmConfigConfigMap, err)
	}
	setPeriod(cfg, document.Period.Duration)
	return nil
}

// ReadPeriodOf does that with a --config file.
func ReadPeriodOf(path string, cfg *kubeadmapi.ClusterConfiguration) error {
	var document clusterDocument
	if err := configfile.ReadKind(path, "ClusterConfiguration", &document); err != nil {
		return err
	}
	setPeriod(cfg, document.Period.Duration)
	return nil
}

func setPeriod(cfg *kubeadmapi.ClusterConfiguration, period time.Duration) {
	if period > 0 {
		setCertificatePeriod(cfg, period)
	}
}
