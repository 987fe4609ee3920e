import falcon.testing

from octomil_ref.app import create_app
from octomil_ref.settings import Settings


def test_liveness_needs_no_token():
    client = falcon.testing.TestClient(create_app(Settings(api_keys=("t",))))

    answer = client.simulate_get("/health")

    assert answer.status_code == 200
