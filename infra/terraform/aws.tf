# How Vercel's functions come to AWS: each request carries a token of Vercel's, which is exchanged for
# credentials of an hour. There is no key that could be lost.
# https://vercel.com/docs/oidc/aws

locals {
  issuer    = "oidc.vercel.com/${var.vercel_team}"
  audience  = "https://vercel.com/${var.vercel_team}"
  table_arn = "arn:aws:dynamodb:ap-southeast-2:${var.aws_account}:table/${var.table}"
  queue_arn = "arn:aws:sqs:ap-southeast-2:${var.aws_account}:${var.dead_letters}"
}

resource "aws_iam_openid_connect_provider" "vercel" {
  url            = "https://${local.issuer}"
  client_id_list = [local.audience]
}

# One team, one project, one environment: a preview of a pull request gets nothing. Staging is a project
# of its own, whose production environment this then is.
data "aws_iam_policy_document" "vercel_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.vercel.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [local.audience]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["owner:${var.vercel_team}:project:${var.vercel_project}:environment:production"]
    }
  }
}

# All functions of a project on Vercel have one role, where on Lambda each has its own: what they need
# together, and nothing about the table itself.
data "aws_iam_policy_document" "portal" {
  statement {
    sid = "Items"
    actions = [
      "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
      "dynamodb:Query", "dynamodb:UpdateItem",
    ]
    resources = [local.table_arn, "${local.table_arn}/index/gsi1", "${local.table_arn}/index/gsi2"]
  }

  statement {
    sid = "DeadLetters"
    actions = [
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage", "sqs:SendMessage",
    ]
    resources = [local.queue_arn]
  }
}

resource "aws_iam_role" "vercel" {
  name                 = "${var.stack}-vercel"
  description          = "The portal's functions on Vercel (${var.environment})"
  assume_role_policy   = data.aws_iam_policy_document.vercel_trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "vercel" {
  name   = "portal"
  role   = aws_iam_role.vercel.id
  policy = data.aws_iam_policy_document.portal.json
}

# The shell of the secret that template.yaml reads. Its value is never here: infra/scripts/rotate and
# the console write it.
resource "aws_secretsmanager_secret" "portal" {
  name                    = "${var.stack}/secrets"
  description             = "What template.yaml calls Secret"
  recovery_window_in_days = 30

  lifecycle {
    prevent_destroy = true
  }
}

# Where alarms go: template.yaml calls it AlarmTopic.
resource "aws_sns_topic" "alarms" {
  name              = "${var.stack}-alarms"
  kms_master_key_id = aws_kms_alias.alarms.name
}

# CloudWatch may not use the key that SNS has by itself, so alarms need one of their own.
resource "aws_kms_key" "alarms" {
  description         = "Alarms of ${var.stack}"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.alarms_key.json
}

resource "aws_kms_alias" "alarms" {
  name          = "alias/${var.stack}-alarms"
  target_key_id = aws_kms_key.alarms.key_id
}

data "aws_iam_policy_document" "alarms_key" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.aws_account}:root"]
    }
  }

  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.aws_account]
    }
  }
}

resource "aws_sns_topic_subscription" "on_call" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.on_call
}
