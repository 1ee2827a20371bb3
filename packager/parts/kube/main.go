// SPDX-License-Identifier: Apache-2.0

// kubeadm, kubelet, kubectl and the four control-plane programs in one: the name it is called by
// decides, or the first word after "kube". Each entry does what upstream's own main does; where that
// differs between minors, files with build constraints have it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // time zones of CronJobs

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/buildinfo"
	"k8s.io/kubernetes/cmd/kubeadm/app/kubecask/clientgates"
)

const names = "kube-apiserver, kube-controller-manager, kube-proxy, kube-scheduler, kubeadm, " +
	"kubectl, kubelet"

// ofThisMinor has programs that other minors do without.
var ofThisMinor = map[string]func(){}

func run(newCommand func() *cobra.Command) {
	os.Exit(cli.Run(newCommand()))
}

// runKubeadm hides the flags that packages of the other programs put into the common sets, all of
// which kubeadm would show as its global flags.
func runKubeadm() {
	clientgates.Restore()
	flag.CommandLine = flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ExitOnError)
	kubeadmDone(kubeadm.Run())
}

func runKubectl() {
	clientgates.Restore()
	beforeKubectl()
	if err := cli.RunNoErrOutput(buildinfo.Tell(kubectlcmd.NewDefaultKubectlCommand())); err != nil {
		kubectlutil.CheckErr(err)
	}
}

// program takes "kube" off "kube NAME ..." so that the program finds its own name first.
func program() string {
	name := filepath.Base(os.Args[0])
	if name == "kube" && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	return name
}

func main() {
	name := program()
	reachDirectly(name, os.Args[1:])
	switch name {
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand)
	case "kube-controller-manager":
		run(controllermanager.NewControllerManagerCommand)
	case "kube-proxy":
		run(func() *cobra.Command { return proxy.NewProxyCommand() })
	case "kube-scheduler":
		run(func() *cobra.Command { return scheduler.NewSchedulerCommand() })
	case "kubelet":
		run(newKubeletCommand)
	case "kubeadm":
		runKubeadm()
	case "kubectl":
		runKubectl()
	default:
		if run, ok := ofThisMinor[name]; ok {
			run()
			return
		}
		fmt.Fprintf(os.Stderr, "kube: called as %q, which is none of %s\n", name, names)
		os.Exit(2)
	}
}
