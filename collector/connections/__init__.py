"""How hosts are reached: SSH (Fabric and Paramiko), WinRM (pywinrm), or this very machine."""
