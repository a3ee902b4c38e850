"""NVIDIA's Isaac Teleop, where it is installed: the pipelines that stock tasks bring along, and recordings made by it.

No CloudXR and no GPU: hands come from our sources, such as the page in a headset's browser.
"""
