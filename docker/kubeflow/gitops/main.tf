# SPDX-License-Identifier: Apache-2.0
# The client in a realm that is there, for Terraform and OpenTofu: what the Job makes. The provider reads
# KEYCLOAK_URL, KEYCLOAK_REALM, KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET.
terraform {
  required_providers {
    keycloak = {
      source  = "keycloak/keycloak"
      version = "~> 5.0"
    }
  }
}

provider "keycloak" {}

variable "realm" {
  type    = string
  default = "kubeflow"
}

variable "client_id" {
  type    = string
  default = "kubeflow-oidc-authservice"
}

# Without a slash at its end.
variable "public_url" {
  type    = string
  default = "https://kubeflow.example.com"
}

# With way B1: /oauth2, and the callback is /oauth2/callback.
variable "prefix" {
  type    = string
  default = "/authservice"
}

variable "callback" {
  type    = string
  default = "/authservice/oidc/callback"
}

resource "keycloak_openid_client" "kubeflow" {
  realm_id                            = var.realm
  client_id                           = var.client_id
  name                                = "Kubeflow"
  enabled                             = true
  access_type                         = "CONFIDENTIAL"
  client_authenticator_type           = "client-secret"
  standard_flow_enabled               = true
  implicit_flow_enabled               = false
  direct_access_grants_enabled        = false
  service_accounts_enabled            = false
  root_url                            = var.public_url
  base_url                            = "/"
  valid_redirect_uris                 = ["${var.public_url}${var.callback}"]
  valid_post_logout_redirect_uris     = ["+"]
  web_origins                         = []
  pkce_code_challenge_method          = "S256"
  frontchannel_logout_enabled         = false
  backchannel_logout_url              = "${var.public_url}${var.prefix}/backchannel-logout"
  backchannel_logout_session_required = true
}

resource "keycloak_openid_group_membership_protocol_mapper" "groups" {
  realm_id            = var.realm
  client_id           = keycloak_openid_client.kubeflow.id
  name                = "groups"
  claim_name          = "groups"
  full_path           = true
  add_to_id_token     = true
  add_to_access_token = true
  add_to_userinfo     = true
}

resource "keycloak_openid_audience_protocol_mapper" "audience" {
  realm_id                 = var.realm
  client_id                = keycloak_openid_client.kubeflow.id
  name                     = "audience"
  included_client_audience = keycloak_openid_client.kubeflow.client_id
  add_to_id_token          = false
  add_to_access_token      = true
}

output "client_secret" {
  value     = keycloak_openid_client.kubeflow.client_secret
  sensitive = true
}
