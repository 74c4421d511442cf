"""Mux's Python SDK judges the stand-in: a video from its upload to its deletion.

The SDK checks what it gets: an answer of another status than Mux's comes back as None, and a value
outside Mux's enumerations raises ValueError.
"""

import os
import time
import urllib.request

import mux_python
from mux_python.exceptions import ForbiddenException, NotFoundException, UnauthorizedException

BASE = os.environ["MUXSIM_URL"]
CLIP = open(os.environ["CLIP"], "rb").read()


def client(secret):
    configuration = mux_python.Configuration(
        username=os.environ["MUX_TOKEN_ID"], password=secret
    )
    configuration.host = BASE
    return mux_python.ApiClient(configuration)


CLIENT = client(os.environ["MUX_TOKEN_SECRET"])
UPLOADS = mux_python.DirectUploadsApi(CLIENT)
ASSETS = mux_python.AssetsApi(CLIENT)
PLAYBACK_IDS = mux_python.PlaybackIDApi(CLIENT)


def held(fact):
    """One line for each thing that held."""
    print("held:", fact, flush=True)


def refused(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"not refused: {call.__name__}")


def create_upload(passthrough=None):
    settings = mux_python.CreateAssetRequest(
        playback_policies=[mux_python.PlaybackPolicy.PUBLIC], passthrough=passthrough
    )
    request = mux_python.CreateUploadRequest(
        timeout=600, cors_origin="https://portal.example", new_asset_settings=settings
    )
    return UPLOADS.create_direct_upload(request).data


def uploads():
    upload = create_upload("film-7")
    assert upload.status == "waiting" and upload.timeout == 600, upload
    assert upload.cors_origin == "https://portal.example", upload
    assert upload.new_asset_settings.passthrough == "film-7", upload
    assert UPLOADS.get_direct_upload(upload.id).data == upload
    held("an upload is created, and got as it was created")

    other = create_upload()
    listed = UPLOADS.list_direct_uploads(limit=1, page=1).data
    assert [it.id for it in listed] == [other.id], listed
    listed = UPLOADS.list_direct_uploads(limit=1, page=2).data
    assert [it.id for it in listed] == [upload.id], listed
    held("uploads are listed by page, newest first")

    assert UPLOADS.cancel_direct_upload(other.id).data.status == "cancelled"
    refused(ForbiddenException, UPLOADS.cancel_direct_upload, other.id)
    held("an upload is cancelled once")
    return upload


def put(upload):
    request = urllib.request.Request(upload.url, data=CLIP, method="PUT")
    request.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200, response.status
    for _ in range(600):
        asset_id = UPLOADS.get_direct_upload(upload.id).data.asset_id
        if asset_id and ASSETS.get_asset(asset_id).data.status != "preparing":
            return asset_id
        time.sleep(0.1)
    raise AssertionError("no asset within a minute")


def assets(asset_id, upload):
    assert UPLOADS.get_direct_upload(upload.id).data.status == "asset_created"
    asset = ASSETS.get_asset(asset_id).data
    assert asset.status == "ready" and asset.upload_id == upload.id, asset
    assert asset.passthrough == "film-7" and abs(asset.duration - 12) < 0.1, asset
    assert {it.type for it in asset.tracks} == {"video", "audio"}, asset
    assert asset.aspect_ratio == "16:9" and asset.resolution_tier == "720p", asset
    held("one PUT makes a ready asset")

    assert [it.id for it in ASSETS.list_assets(upload_id=upload.id).data] == [asset_id]
    assert asset_id in [it.id for it in ASSETS.list_assets(limit=100).data]
    held("assets are listed, and found by upload")

    meta = mux_python.AssetMetadata(title="Film", external_id="e-1")
    request = mux_python.UpdateAssetRequest(passthrough="film-8", meta=meta)
    updated = ASSETS.update_asset(asset_id, request).data
    assert updated.passthrough == "film-8" and updated.meta == meta, updated
    assert ASSETS.get_asset(asset_id).data == updated
    held("an asset is updated")


def playback_ids(asset_id):
    for policy in [mux_python.PlaybackPolicy.PUBLIC, mux_python.PlaybackPolicy.SIGNED]:
        request = mux_python.CreatePlaybackIDRequest(policy=policy)
        made = ASSETS.create_asset_playback_id(asset_id, request).data
        assert made.policy == policy, made
        assert ASSETS.get_asset_playback_id(asset_id, made.id).data == made
        found = PLAYBACK_IDS.get_asset_or_livestream_id(made.id).data
        assert (found.object.type, found.object.id) == ("asset", asset_id), found
        assert found.policy == policy, found
        _, status, _ = ASSETS.delete_asset_playback_id_with_http_info(asset_id, made.id)
        assert status == 204, status
        refused(NotFoundException, ASSETS.get_asset_playback_id, asset_id, made.id)
        refused(NotFoundException, PLAYBACK_IDS.get_asset_or_livestream_id, made.id)
        held(f"a {policy} playback id is made, found both ways, and deleted")


def deleting(asset_id):
    _, status, _ = ASSETS.delete_asset_with_http_info(asset_id)
    assert status == 204, status
    refused(NotFoundException, ASSETS.get_asset, asset_id)
    refused(NotFoundException, ASSETS.delete_asset, asset_id)
    held("an asset is deleted")

    stranger = mux_python.AssetsApi(client("wrong"))
    refused(UnauthorizedException, stranger.list_assets)
    held("a wrong secret is refused")


upload = uploads()
asset_id = put(upload)
assets(asset_id, upload)
playback_ids(asset_id)
deleting(asset_id)
