// SPDX-License-Identifier: Apache-2.0
// Makes what Istio generates fit for an Envoy that is not Istio's, on the loopback.

package xds

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"istio.io/istio/pilot/pkg/model"
)

// Filters that only Istio's build of Envoy has: they report and name protocols, and decide nothing.
var istioOnly = map[string]bool{
	"istio.alpn": true, "istio.metadata_exchange": true, "istio.stats": true,
	"envoy.filters.network.metadata_exchange": true, "envoy.filters.network.upstream.metadata_exchange": true,
}

// stock hands on what another generator makes, after change has been at each resource.
type stock struct {
	from   model.XdsResourceGenerator
	change func(*anypb.Any) error
}

func (s stock) Generate(proxy *model.Proxy, watched *model.WatchedResource, request *model.PushRequest,
) (model.Resources, model.XdsLogDetails, error) {
	resources, details, err := s.from.Generate(proxy, watched, request)
	if err != nil {
		return nil, details, err
	}
	for i, resource := range resources {
		// Istio keeps what it generated: only a copy is ours to change.
		resources[i] = proto.CloneOf(resource)
		if err := s.change(resources[i].Resource); err != nil {
			return nil, details, err
		}
	}
	return resources, details, nil
}

// changed unpacks what packed holds, lets change have it, and packs it again.
func changed[M proto.Message](packed *anypb.Any, message M, change func(M) error) error {
	if err := packed.UnmarshalTo(message); err != nil {
		return err
	}
	if err := change(message); err != nil {
		return err
	}
	return packed.MarshalFrom(message)
}

func stockListener(packed *anypb.Any) error {
	return changed(packed, &listenerv3.Listener{}, func(listener *listenerv3.Listener) error {
		if address := listener.GetAddress().GetSocketAddress(); address != nil {
			address.Address = "127.0.0.1"
		}
		for _, chain := range listener.GetFilterChains() {
			if err := stockChain(chain); err != nil {
				return err
			}
		}
		return nil
	})
}

func stockChain(chain *listenerv3.FilterChain) error {
	var kept []*listenerv3.Filter
	for _, filter := range chain.GetFilters() {
		if istioOnly[filter.GetName()] {
			continue
		}
		kept = append(kept, filter)
		if packed := filter.GetTypedConfig(); packed.MessageIs(&managerv3.HttpConnectionManager{}) {
			if err := changed(packed, &managerv3.HttpConnectionManager{}, stockManager); err != nil {
				return err
			}
		}
	}
	chain.Filters = kept
	return nil
}

func stockManager(manager *managerv3.HttpConnectionManager) error {
	var kept []*managerv3.HttpFilter
	for _, filter := range manager.GetHttpFilters() {
		if !istioOnly[filter.GetName()] {
			kept = append(kept, filter)
		}
	}
	manager.HttpFilters = kept
	return nil
}

func stockCluster(packed *anypb.Any) error {
	return changed(packed, &clusterv3.Cluster{}, func(cluster *clusterv3.Cluster) error {
		var kept []*clusterv3.Filter
		for _, filter := range cluster.GetFilters() {
			if !istioOnly[filter.GetName()] {
				kept = append(kept, filter)
			}
		}
		cluster.Filters = kept
		return nil
	})
}
